package account

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"

	"tributary/internal/audit"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/meta"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// SecondFactor says how the second factor of an account stands.
type SecondFactor struct {
	Since     *time.Time // nil: it is off
	CodesLeft int        // recovery codes
}

// factor is an authenticator's secret with its recovery codes. A user begins it, and
// turns it on with a code; it ends when it is turned off, reset by an admin or replaced,
// and a day after it was begun if it was never confirmed.
type factor struct {
	id        string
	tenant    tenant.ID
	user      string
	secret    []byte // sealed
	codes     []byte // digests of those that are left
	used      int64  // the step of the code that was used last
	createdAt time.Time
}

const (
	recoveryCodes  = 10
	recoveryDigest = 33 // bytes of a MAC
	// confirmWithin is how long a secret waits for its first code.
	confirmWithin = time.Hour
)

var (
	// errNoCode and errWrongCode are told only to who knew the password.
	errNoCode    = fault.New(fault.SecondFactor, "This account has a second factor: send the code that its authenticator shows, or a recovery code (code).")
	errWrongCode = fault.New(fault.SecondFactor, "The code is not right, or was used before. Wait for the next one that the authenticator shows, or use a recovery code.")
	errBadCode   = fault.New(fault.Denied, "The code is not right, or was used before. Wait for the next one that the authenticator shows.")
	errNoFactor  = fault.New(fault.NotFound, "There is no second factor.")
)

const factorQuery = `SELECT id, tenant, user_id, secret, codes, used_step, created_at, mac FROM second_factors `

func (a *Accounts) scanFactor(row scanner) (factor, error) {
	var f factor
	var created int64
	var mac []byte
	if err := row.Scan(&f.id, &f.tenant, &f.user, &f.secret, &f.codes, &f.used, &created, &mac); err != nil {
		return f, err
	}
	f.createdAt = meta.Time(created)
	if err := a.Keys.CheckMAC(mac, "second factor", f.fields()...); err != nil {
		return f, fmt.Errorf("second factor %s: %w", f.id, err)
	}
	return f, nil
}

func (f factor) fields() []any {
	return []any{f.id, string(f.tenant), f.user, f.secret, f.codes, f.used, meta.Micros(f.createdAt)}
}

func (a *Accounts) sealFactor(ctx context.Context, f *factor, secret []byte) (err error) {
	if f.tenant == "" {
		f.secret, err = a.Keys.EncryptOwn(secret, []byte("second factor "+f.id))
	} else {
		f.secret, err = a.Keys.Encrypt(ctx, f.tenant, keys.Pool, secret, []byte("second factor "+f.id))
	}
	return err
}

func (a *Accounts) openFactor(ctx context.Context, f factor) ([]byte, error) {
	if f.tenant == "" {
		return a.Keys.DecryptOwn(f.secret, []byte("second factor "+f.id))
	}
	return a.Keys.Decrypt(ctx, f.tenant, keys.Pool, f.secret, []byte("second factor "+f.id))
}

// factorOf returns the factor that is on. One that the user's row names and that is not
// there lets nobody in.
func (a *Accounts) factorOf(ctx context.Context, db *meta.DB, u User) (factor, error) {
	f, err := a.scanFactor(db.RowsOf(u.Tenant).QueryRow(ctx, factorQuery+`WHERE id = $1 AND user_id = $2 AND tenant = $3`, u.secondFactor, u.ID, string(u.Tenant)))
	if errors.Is(err, sql.ErrNoRows) {
		return f, fault.New(fault.Damaged, "The second factor of this account is lost. Ask an administrator to reset it.")
	}
	if err != nil {
		return f, fmt.Errorf("find second factor of %s: %w", u.ID, err)
	}
	return f, nil
}

func (a *Accounts) saveFactor(ctx context.Context, tx *meta.DB, f factor) error {
	_, err := tx.RowsOf(f.tenant).Exec(ctx, `UPDATE second_factors SET codes = $1, used_step = $2, mac = $3 WHERE id = $4 AND tenant = $5`,
		f.codes, f.used, a.Keys.MAC("second factor", f.fields()...), f.id, string(f.tenant))
	if err != nil {
		return fmt.Errorf("save second factor %s: %w", f.id, err)
	}
	return nil
}

// dropFactors removes a user's second factors but one, or all for "".
func (a *Accounts) dropFactors(ctx context.Context, tx *meta.DB, u User, but string) error {
	if _, err := tx.RowsOf(u.Tenant).Exec(ctx, `DELETE FROM second_factors WHERE user_id = $1 AND tenant = $2 AND id <> $3`, u.ID, string(u.Tenant), but); err != nil {
		return fmt.Errorf("drop second factors of %s: %w", u.ID, err)
	}
	return nil
}

// recoveryCode is what is kept of a recovery code.
func (a *Accounts) recoveryCode(f factor, code string) []byte {
	return a.Keys.MAC("recovery code", f.id, code)
}

// freshCodes gives a factor new recovery codes and returns them, for the only time.
func (a *Accounts) freshCodes(f *factor) []string {
	var list []string
	f.codes = nil
	for range recoveryCodes {
		code := strings.ToLower(base32.StdEncoding.EncodeToString(a.Clock.Bytes(10)))
		f.codes = append(f.codes, a.recoveryCode(*f, code)...)
		list = append(list, code[:4]+"-"+code[4:8]+"-"+code[8:12]+"-"+code[12:])
	}
	return list
}

var codeSpace = strings.NewReplacer(" ", "", "-", "", "\t", "", "\n", "")

// spend uses a code up: one of the authenticator, or a recovery code where there are
// some. It returns which of them it was, and "" for a code that is not good.
func (a *Accounts) spend(ctx context.Context, tx *meta.DB, f *factor, code string) (kind string, err error) {
	code = strings.ToLower(codeSpace.Replace(code))
	if len(code) == totpDigits {
		secret, err := a.openFactor(ctx, *f)
		if err != nil {
			return "", fmt.Errorf("open second factor %s: %w", f.id, err)
		}
		step, ok := totpFits(secret, code, a.Clock.Now(), f.used)
		if !ok {
			return "", nil
		}
		f.used = step
		return "authenticator", a.saveFactor(ctx, tx, *f)
	}
	want := a.recoveryCode(*f, code)
	for at := 0; at < len(f.codes); at += recoveryDigest {
		if bytes.Equal(f.codes[at:at+recoveryDigest], want) {
			f.codes = append(f.codes[:at:at], f.codes[at+recoveryDigest:]...)
			return "recovery code", a.saveFactor(ctx, tx, *f)
		}
	}
	return "", nil
}

// secondStep spends the code of a sign-in, and says which kind it was.
func (a *Accounts) secondStep(ctx context.Context, tx *meta.DB, u User, at Attempt) (string, error) {
	switch {
	case at.Codeless: // turned on since
		return "", errNoSignIn
	case at.Code == "":
		return "", errNoCode
	}
	f, err := a.factorOf(ctx, tx, u)
	if err != nil {
		return "", err
	}
	kind, err := a.spend(ctx, tx, &f, at.Code)
	if err == nil && kind == "" {
		err = errWrongCode
	}
	return kind, err
}

// SecondFactor says how one's own second factor stands.
func (a *Accounts) SecondFactor(ctx context.Context, p policy.Principal) (SecondFactor, error) {
	u, err := a.user(ctx, a.DB, p.Tenant, p.User)
	if err != nil || u.secondFactor == "" {
		return SecondFactor{}, err
	}
	f, err := a.factorOf(ctx, a.DB, u)
	if err != nil {
		return SecondFactor{}, err
	}
	return SecondFactor{Since: &f.createdAt, CodesLeft: len(f.codes) / recoveryDigest}, nil
}

// StartSecondFactor makes a secret for an authenticator, which is on once it is confirmed
// with a code. It takes the password: a session alone, which somebody else may have in
// hands, must not lock its owner out. The secret is shown this once.
func (a *Accounts) StartSecondFactor(ctx context.Context, p policy.Principal, password string) (secret, url string, err error) {
	u, err := a.prove(ctx, p, password)
	if err != nil {
		return "", "", err
	}
	raw := a.Clock.Bytes(totpSecret)
	f := factor{id: a.Clock.ID("fac"), tenant: u.Tenant, user: u.ID, codes: []byte{}, createdAt: a.Clock.Now()}
	if err := a.sealFactor(ctx, &f, raw); err != nil {
		return "", "", fmt.Errorf("seal second factor: %w", err)
	}
	err = a.DB.Transact(ctx, func(tx *meta.DB) error {
		u, err := a.user(ctx, tx, p.Tenant, p.User)
		if err != nil {
			return err
		}
		if u.secondFactor != "" {
			return fault.New(fault.Conflict, "The account has a second factor already; turn it off first.")
		}
		if err := a.dropFactors(ctx, tx, u, ""); err != nil {
			return err
		}
		if _, err := tx.RowsOf(u.Tenant).Exec(ctx, `INSERT INTO second_factors (id, tenant, user_id, secret, codes, used_step, created_at, mac) VALUES ($1, $2, $3, $4, $5, 0, $6, $7)`,
			f.id, string(f.tenant), f.user, f.secret, f.codes, meta.Micros(f.createdAt), a.Keys.MAC("second factor", f.fields()...)); err != nil {
			return fmt.Errorf("insert second factor: %w", err)
		}
		return a.record(ctx, tx, u.Tenant, false, audit.Entry{Actor: u.ID, Verb: "second-factor.start", Subject: u.ID, Outcome: "ok"})
	})
	if err != nil {
		return "", "", err
	}
	return base32Plain.EncodeToString(raw), totpURL(u.Login(), raw), nil
}

// ConfirmSecondFactor turns on the second factor that was begun, with a code of it, and
// returns its recovery codes for the only time. One's other sessions, which no code was
// asked for, end.
func (a *Accounts) ConfirmSecondFactor(ctx context.Context, p policy.Principal, code string) ([]string, error) {
	var list, ended []string
	err := a.counted(ctx, p, func(tx *meta.DB, u User) error {
		ended = nil
		if u.secondFactor != "" {
			return fault.New(fault.Conflict, "The account's second factor is on already.")
		}
		f, err := a.scanFactor(tx.RowsOf(u.Tenant).QueryRow(ctx, factorQuery+`WHERE user_id = $1 AND tenant = $2`, u.ID, string(u.Tenant)))
		if errors.Is(err, sql.ErrNoRows) || err == nil && a.Clock.Now().Sub(f.createdAt) > confirmWithin {
			return fault.New(fault.Conflict, "No second factor was begun within the last hour; begin with a new secret.")
		}
		if err != nil {
			return fmt.Errorf("find second factor: %w", err)
		}
		if kind, err := a.spend(ctx, tx, &f, code); err != nil || kind == "" {
			return orBadCode(err)
		}
		list = a.freshCodes(&f)
		if err := a.saveFactor(ctx, tx, f); err != nil {
			return err
		}
		u.secondFactor = f.id
		if err := a.saveUser(ctx, tx, u.ID, &u); err != nil {
			return err
		}
		if ended, err = a.endOthers(ctx, tx, u, p.Credential); err != nil {
			return err
		}
		if err := a.tellCredential(ctx, tx, u, "a second factor for your account, with recovery codes"); err != nil {
			return err
		}
		return a.record(ctx, tx, u.Tenant, false, audit.Entry{Actor: u.ID, Verb: "second-factor.on", Subject: u.ID, Outcome: "ok"})
	})
	if err != nil {
		return nil, err
	}
	a.revoked(ended)
	return list, nil
}

// NewRecoveryCodes replaces one's recovery codes, which takes the password and a code.
func (a *Accounts) NewRecoveryCodes(ctx context.Context, p policy.Principal, password, code string) ([]string, error) {
	var list []string
	err := a.withFactor(ctx, p, password, code, func(tx *meta.DB, u User, f factor) error {
		list = a.freshCodes(&f)
		if err := a.saveFactor(ctx, tx, f); err != nil {
			return err
		}
		if err := a.tellCredential(ctx, tx, u, "new recovery codes for your account"); err != nil {
			return err
		}
		return a.record(ctx, tx, u.Tenant, false, audit.Entry{Actor: u.ID, Verb: "second-factor.codes", Subject: u.ID, Outcome: "ok"})
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// EndSecondFactor turns one's own second factor off, which takes the password and a code.
func (a *Accounts) EndSecondFactor(ctx context.Context, p policy.Principal, password, code string) error {
	return a.withFactor(ctx, p, password, code, func(tx *meta.DB, u User, _ factor) error {
		u.secondFactor = ""
		if err := a.saveUser(ctx, tx, u.ID, &u); err != nil {
			return err
		}
		if err := a.dropFactors(ctx, tx, u, ""); err != nil {
			return err
		}
		if err := a.tellFactorOff(ctx, tx, u, "You turned it off."); err != nil {
			return err
		}
		return a.record(ctx, tx, u.Tenant, false, audit.Entry{Actor: u.ID, Verb: "second-factor.off", Subject: u.ID, Outcome: "ok"})
	})
}

// withFactor does something with one's own second factor that takes the password and a
// code of it.
func (a *Accounts) withFactor(ctx context.Context, p policy.Principal, password, code string, do func(*meta.DB, User, factor) error) error {
	if _, err := a.prove(ctx, p, password); err != nil {
		return err
	}
	return a.counted(ctx, p, func(tx *meta.DB, u User) error {
		if u.secondFactor == "" {
			return errNoFactor
		}
		f, err := a.factorOf(ctx, tx, u)
		if err != nil {
			return err
		}
		if kind, err := a.spend(ctx, tx, &f, code); err != nil || kind == "" {
			return orBadCode(err)
		}
		return do(tx, u, f)
	})
}

func orBadCode(err error) error {
	if err == nil {
		err = errBadCode
	}
	return err
}

// counted does something with one's own account that takes a code: a wrong one counts
// like a wrong password.
func (a *Accounts) counted(ctx context.Context, p policy.Principal, do func(*meta.DB, User) error) error {
	if _, err := a.locked(ctx, p.User, p.Address); err != nil {
		return err
	}
	err := a.DB.Transact(ctx, func(tx *meta.DB) error {
		u, err := a.user(ctx, tx, p.Tenant, p.User)
		if err != nil {
			return err
		}
		return do(tx, u)
	})
	if errors.Is(err, errBadCode) {
		if err := a.failed(ctx, p.User, p.Address); err != nil {
			return err
		}
	}
	return err
}

// errOwnFactor is for a session that somebody else may have in hands.
var errOwnFactor = fault.New(fault.Denied, "One's own second factor is turned off with the password and a code: POST /api/v1/me/totp/off, or tributary totp off.")

// ResetSecondFactor takes the second factor of a user of the scope's tenant away, as its
// admin does for somebody who lost it. The user's sessions end.
func (a *Accounts) ResetSecondFactor(ctx context.Context, scope tenant.Scope, id string) error {
	if scope.Actor() == id {
		return errOwnFactor
	}
	return a.resetSecondFactor(ctx, scope.Actor(), scope.Tenant(), id, false, func(*meta.DB) error { return scope.Check(ctx, tenant.Write, tenant.Credentials.One(id)) })
}

// UnscopedResetSecondFactor takes away the second factor of one of the provider's people,
// or of the user of a tenant that is not claimed yet.
func (a *Accounts) UnscopedResetSecondFactor(ctx context.Context, by, id string) error {
	if by == id {
		return errOwnFactor
	}
	u, err := a.UnscopedUser(ctx, id)
	if err != nil {
		return err
	}
	return a.resetSecondFactor(ctx, by, u.Tenant, id, u.Tenant != "", func(db *meta.DB) error {
		if u.Tenant == "" {
			return nil
		}
		_, err := a.unclaimed(ctx, db, u.Tenant)
		return err
	})
}

func (a *Accounts) resetSecondFactor(ctx context.Context, by string, id tenant.ID, user string, provider bool, check func(*meta.DB) error) error {
	_, err := a.changeUser(ctx, by, id, user, "second-factor.reset", provider, check, func(tx *meta.DB, u *User) error {
		if u.secondFactor == "" {
			return fault.New(fault.Conflict, "The user has no second factor.")
		}
		u.secondFactor = ""
		if err := a.dropFactors(ctx, tx, *u, ""); err != nil {
			return err
		}
		return a.tellFactorOff(ctx, tx, *u, "An administrator took it away.")
	})
	return err
}
