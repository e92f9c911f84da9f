package account

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"time"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"

	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// hashParams are OWASP's first choice for Argon2id with room to spare: 64 MiB,
// 2 passes, 1 lane.
var hashParams = &argon2id.Params{Memory: 64 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// decoy is a hash that no password has; unknown accounts are checked against it
// so that they take as long as known ones.
const decoy = "$argon2id$v=19$m=65536,t=2,p=1$c29kaXVtY2hsb3JpZGU$X1hS9uW2ipDqz0zYVyDIZCMv4hYQ9U9JcFzQbnZ5Cmo"

const (
	minPassword = 12
	maxPassword = 1000
)

func checkPassword(p string) error {
	if n := utf8.RuneCountInString(p); n < minPassword || len(p) > maxPassword {
		return fault.New(fault.Invalid, "A password has %d characters or more, and %d bytes at most.", minPassword, maxPassword)
	}
	return nil
}

// place takes one of the places for hashing, so that sign-ins cannot use up
// memory; when too many wait already the caller is told to come back.
func (a *Accounts) place(ctx context.Context) (release func(), err error) {
	select {
	case a.waiting <- struct{}{}:
	default:
		return nil, fault.New(fault.Throttled, "Too many people are signing in at this moment; try again in a few seconds.")
	}
	defer func() { <-a.waiting }()
	select {
	case a.hashing <- struct{}{}:
		return func() { <-a.hashing }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (a *Accounts) hash(ctx context.Context, password string) (string, error) {
	release, err := a.place(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	h, err := argon2id.CreateHash(password, a.params)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	return h, nil
}

// matches reports whether the password is the one hashed. An empty hash, that of
// an account without a password, takes as long and never matches.
func (a *Accounts) matches(ctx context.Context, password, hash string) (bool, error) {
	release, err := a.place(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	known := hash != ""
	if !known {
		hash = decoy
	}
	ok, err := argon2id.ComparePasswordAndHash(password, hash)
	if err != nil {
		return false, fmt.Errorf("compare password: %w", err)
	}
	return ok && known, nil
}

// Lockout: an account after freeFailures wrong passwords in lockWindow, an
// address after four times as many, for lockBase and then twice as long each
// time, at most lockMost.
const (
	freeFailures = 5
	lockWindow   = 15 * time.Minute
	lockBase     = time.Minute
	lockMost     = time.Hour
)

// lockSubjects are what failures are counted by: the account's id, however it is
// named, or what was typed where there is none, and the address. They are stored
// as keyed digests.
func (a *Accounts) lockSubjects(who string, addr netip.Addr) map[string]int64 {
	digest := func(kind, s string) string {
		mac := hmac.New(sha256.New, a.Keys.MAC("lockout"))
		mac.Write([]byte(kind + "\x00" + s))
		return kind + ":" + hex.EncodeToString(mac.Sum(nil)[:16])
	}
	return map[string]int64{digest("login", who): freeFailures, digest("address", Network(addr)): 4 * freeFailures}
}

// Network is what one person can change at will: all of an IPv4 address, the
// first 64 bits of an IPv6 one.
func Network(addr netip.Addr) string { return network(addr, 64) }

// region is what one customer of a provider of addresses may have: of IPv6 the first
// 48 bits, which are 65,536 networks.
func region(addr netip.Addr) string { return network(addr, 48) }

func network(addr netip.Addr, bits int) string {
	addr = addr.Unmap()
	if addr.Is6() {
		if p, err := addr.Prefix(bits); err == nil {
			return p.String()
		}
	}
	return addr.String()
}

// locked returns Throttled while the account or the address is locked, and which.
func (a *Accounts) locked(ctx context.Context, who string, addr netip.Addr) (string, error) {
	now := a.Clock.Now()
	for subject := range a.lockSubjects(who, addr) {
		var until sql.NullInt64
		err := a.DB.QueryRow(ctx, `SELECT locked_until FROM sign_in_failures WHERE subject = $1`, subject).Scan(&until)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return "", fmt.Errorf("read sign-in failures: %w", err)
		}
		if until.Valid && meta.Time(until.Int64).After(now) {
			wait := meta.Time(until.Int64).Sub(now).Round(time.Second)
			return subject, fault.New(fault.Throttled, "There were too many wrong passwords or codes. Try again in %s.", max(wait, time.Second))
		}
	}
	return "", nil
}

// knocked reports whether an attempt at what is locked is to be recorded: once a
// minute for each, so that nobody fills the disk by knocking.
func (a *Accounts) knocked(subject string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.Clock.Now()
	maps.DeleteFunc(a.knocks, func(_ string, at time.Time) bool { return now.Sub(at) >= time.Minute })
	if _, lately := a.knocks[subject]; lately {
		return false
	}
	a.knocks[subject] = now
	return true
}

// failed counts a wrong password.
func (a *Accounts) failed(ctx context.Context, who string, addr netip.Addr) error {
	now := a.Clock.Now()
	return a.DB.Transact(ctx, func(tx *meta.DB) error {
		for subject, free := range a.lockSubjects(who, addr) {
			var failures, first int64
			var until sql.NullInt64
			err := tx.QueryRow(ctx, `SELECT failures, first_at, locked_until FROM sign_in_failures WHERE subject = $1`, subject).Scan(&failures, &first, &until)
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return fmt.Errorf("read sign-in failures: %w", err)
			}
			quiet := meta.Time(first)
			if until.Valid && meta.Time(until.Int64).After(quiet) {
				quiet = meta.Time(until.Int64)
			}
			if now.Sub(quiet) > lockWindow {
				failures, first, until = 0, meta.Micros(now), sql.NullInt64{}
			}
			failures++
			if over := failures - free; over >= 0 {
				until = sql.NullInt64{Valid: true, Int64: meta.Micros(now.Add(min(lockBase<<min(over, 10), lockMost)))}
			}
			if _, err := tx.Exec(ctx, `
				INSERT INTO sign_in_failures (subject, failures, first_at, locked_until) VALUES ($1, $2, $3, $4)
				ON CONFLICT (subject) DO UPDATE SET failures = excluded.failures, first_at = excluded.first_at, locked_until = excluded.locked_until`,
				subject, failures, first, until); err != nil {
				return fmt.Errorf("count sign-in failure: %w", err)
			}
		}
		return nil
	})
}

// forgive forgets the failures of an account after a right password. Those of the
// address stay: one known account must not open the way to guessing others.
func (a *Accounts) forgive(ctx context.Context, tx *meta.DB, who string) error {
	for subject, free := range a.lockSubjects(who, netip.Addr{}) {
		if free != freeFailures {
			continue
		}
		if _, err := tx.Exec(ctx, `DELETE FROM sign_in_failures WHERE subject = $1`, subject); err != nil {
			return fmt.Errorf("forget sign-in failures: %w", err)
		}
	}
	return nil
}

// ForgetDue removes old failures, ended sessions, second factors that were only begun, and links and questions
// that are over. It is a round.
func (a *Accounts) ForgetDue(ctx context.Context) error {
	now := a.Clock.Now()
	for query, before := range map[string]time.Time{
		`DELETE FROM sign_in_failures WHERE first_at < $1 AND (locked_until IS NULL OR locked_until < $1)`:                                    now.Add(-24 * time.Hour),
		`DELETE FROM sessions WHERE absolute_until < $1`:                                                                                      now.Add(-24 * time.Hour),
		`DELETE FROM known_sign_ins WHERE seen_at < $1`:                                                                                       now.Add(-knownFor),
		`DELETE FROM second_factors WHERE created_at < $1 AND NOT EXISTS (SELECT 1 FROM users WHERE users.second_factor = second_factors.id)`: now.Add(-24 * time.Hour),
		`DELETE FROM setup_links WHERE expires_at < $1`:                                                                                       now,
		`DELETE FROM account_asks WHERE created_at < $1`:                                                                                      now.Add(-keepAsks),
		`DELETE FROM account_links WHERE expires_at < $1 AND kind = 'reset'`:                                                                  now.Add(-keepLinks),
		`DELETE FROM account_links WHERE used_at < $1`:                                                                                        now.Add(-keepLinks),
		`DELETE FROM account_links WHERE ended_at < $1`:                                                                                       now.Add(-keepLinks),
		`DELETE FROM oidc_attempts WHERE expires_at < $1`:                                                                                     now,
		`DELETE FROM idempotency_keys WHERE created_at < $1`:                                                                                  now.Add(-24 * time.Hour),
	} {
		if _, err := a.DB.Unscoped().Exec(ctx, query, meta.Micros(before)); err != nil {
			return fmt.Errorf("forget what has ended: %w", err)
		}
	}
	return nil
}

// ChangePassword sets one's own password, which takes the present one.
func (a *Accounts) ChangePassword(ctx context.Context, p policy.Principal, current, next string) error {
	u, err := a.prove(ctx, p, current)
	if err != nil {
		return err
	}
	return a.replacePassword(ctx, u, next)
}

// prove asks for one's own password once more, for what somebody must not do who found
// a session open.
func (a *Accounts) prove(ctx context.Context, p policy.Principal, password string) (User, error) {
	u, err := a.user(ctx, a.DB, p.Tenant, p.User)
	if err != nil {
		return u, err
	}
	if _, err := a.locked(ctx, u.ID, p.Address); err != nil {
		return u, err
	}
	ok, err := a.matches(ctx, password, u.password)
	if err != nil {
		return u, err
	}
	if !ok {
		if err := a.failed(ctx, u.ID, p.Address); err != nil {
			return u, err
		}
		return u, fault.New(fault.Denied, "The present password is not right.")
	}
	return u, nil
}

// replacePassword sets the password of a user as it was when its own was checked.
func (a *Accounts) replacePassword(ctx context.Context, checked User, next string) error {
	return a.setPassword(ctx, checked.ID, checked.Tenant, checked.ID, next, false, func(db *meta.DB) error {
		u, err := a.user(ctx, db, checked.Tenant, checked.ID)
		if err == nil && (u.State != checked.State || u.password != checked.password) { // an admin was faster
			return errNotSignedIn
		}
		return err
	})
}

var errInvited = fault.New(fault.Conflict, "This user is invited, and chooses a password and adds keys once they have come.")

// errOwnPassword is for a session that somebody else may have in hands.
var errOwnPassword = fault.New(fault.Denied, "One's own password is changed with the present one: POST /api/v1/me/password, or tributary user password me.")

// SetPassword sets the password of a user of the scope's tenant, as its admin
// does for somebody who forgot it.
func (a *Accounts) SetPassword(ctx context.Context, scope tenant.Scope, id, password string) error {
	if scope.Actor() == id {
		return errOwnPassword
	}
	return a.setPassword(ctx, scope.Actor(), scope.Tenant(), id, password, false,
		func(*meta.DB) error { return scope.Check(ctx, tenant.Write, tenant.Credentials.One(id)) })
}

// UnscopedSetPassword sets the password of one of the provider's people, or of
// the user of a tenant that is not claimed yet.
func (a *Accounts) UnscopedSetPassword(ctx context.Context, by, id, password string) error {
	if by == id {
		return errOwnPassword
	}
	u, err := a.UnscopedUser(ctx, id)
	if err != nil {
		return err
	}
	return a.setPassword(ctx, by, u.Tenant, id, password, u.Tenant != "", func(db *meta.DB) error {
		if u.Tenant == "" {
			return nil
		}
		_, err := a.unclaimed(ctx, db, u.Tenant)
		return err
	})
}

func (a *Accounts) setPassword(ctx context.Context, by string, id tenant.ID, user, password string, provider bool, check func(*meta.DB) error) error {
	if err := checkPassword(password); err != nil {
		return err
	}
	if err := check(a.DB); err != nil { // before the costly hash, and again inside
		return err
	}
	hash, err := a.hash(ctx, password)
	if err != nil {
		return err
	}
	_, err = a.changeUser(ctx, by, id, user, "user.password", provider, check, func(tx *meta.DB, u *User) error {
		if u.State == UserInvited {
			return errInvited
		}
		u.password = hash
		if by == u.ID { // who knew the password that the provider set may be the provider
			return nil
		}
		made, err := a.derived(ctx, tx, id, by)
		if err != nil {
			return err
		}
		u.ProviderMade = provider || made
		return a.tellPassword(ctx, tx, *u)
	})
	return err
}
