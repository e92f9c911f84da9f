package account

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tributary/internal/audit"
	"tributary/internal/meta"
)

// session finds and checks the session of a token. When the token's time has come, renewed
// is another for its holder, who may never get it.
func (a *Accounts) session(ctx context.Context, token string) (s Session, renewed string, err error) {
	hash := digest(token)
	s, err = a.scanSession(a.DB.Unscoped().QueryRow(ctx, `SELECT `+sessionColumns+` FROM sessions WHERE token_hash = $1 OR previous_hash = $1 OR next_hash = $1`, hash))
	if errors.Is(err, sql.ErrNoRows) {
		return s, "", errNotSignedIn
	}
	if err != nil {
		return s, "", fmt.Errorf("find session: %w", err)
	}
	now := a.Clock.Now()
	if ended(now, s.revoked, &s.AbsoluteUntil) || !now.Before(s.IdleUntil) {
		return s, "", errNotSignedIn
	}
	switch {
	case bytes.Equal(hash, s.next):
		a.noted(ctx, s.ID, a.turn(ctx, s, now)) // the token of before is good then, and this one
	case !bytes.Equal(hash, s.token):
		if now.Sub(s.rotated) >= sessionOverlap {
			return s, "", a.reused(ctx, s)
		}
	case now.Sub(s.rotated) >= sessionTurn && now.Sub(s.offered) >= sessionOverlap:
		renewed, err = a.offer(ctx, s, now)
		a.noted(ctx, s.ID, err)
	case now.Sub(s.UsedAt) >= noteUse:
		_, err := a.DB.RowsOf(s.Tenant).Exec(ctx, `UPDATE sessions SET used_at = $1, idle_until = $2 WHERE id = $3 AND tenant = $4`,
			meta.Micros(now), meta.Micros(now.Add(sessionIdle)), s.ID, string(s.Tenant))
		a.noted(ctx, s.ID, err)
	}
	return s, renewed, nil
}

// noted logs that the use of a credential could not be noted. The request goes on:
// a disk that is full must not end reading.
func (a *Accounts) noted(ctx context.Context, credential string, err error) {
	if err != nil {
		a.Log.WarnContext(ctx, "the use of a credential could not be noted", "credential", credential, "error", err)
	}
}

// reused ends a session of which somebody uses a token that was replaced: it, or the new
// one, was stolen.
func (a *Accounts) reused(ctx context.Context, s Session) error {
	err := a.DB.Transact(ctx, func(tx *meta.DB) error {
		now, err := a.scanSession(tx.RowsOf(s.Tenant).QueryRow(ctx, `SELECT `+sessionColumns+` FROM sessions WHERE id = $1 AND tenant = $2`, s.ID, string(s.Tenant)))
		if err != nil {
			return fmt.Errorf("find session %s: %w", s.ID, err)
		}
		if now.revoked != nil {
			return nil
		}
		if err := a.endSession(ctx, tx, &now); err != nil {
			return err
		}
		return a.Audit.Append(ctx, tx, audit.Entry{Tenant: s.Tenant, Actor: s.User, Verb: "session.reuse", Subject: s.ID, Outcome: "revoked"})
	})
	if err != nil {
		return err
	}
	a.revoked([]string{s.ID})
	return errNotSignedIn
}

// offer makes a next token. One that was given out before and never used is replaced: who
// comes with it after all is not who the answer was for.
func (a *Accounts) offer(ctx context.Context, s Session, now time.Time) (string, error) {
	renewed, before := "trs_"+a.Clock.Secret(32), s.offered
	if s.next != nil {
		s.previous = s.next
	}
	s.next, s.offered = digest(renewed), now
	n, err := a.DB.RowsOf(s.Tenant).Exec(ctx, `
		UPDATE sessions SET previous_hash = $1, next_hash = $2, offered_at = $3, used_at = $3, idle_until = $4, mac = $5
		WHERE id = $6 AND token_hash = $7 AND offered_at = $8 AND revoked_at IS NULL AND tenant = $9`,
		s.previous, s.next, meta.Micros(now), meta.Micros(now.Add(sessionIdle)), a.Keys.MAC("session", s.fields()...),
		s.ID, s.token, meta.Micros(before), string(s.Tenant))
	if err != nil {
		return "", fmt.Errorf("give out a session's next token: %w", err)
	}
	if n == 0 { // another request has just got one
		return "", nil
	}
	return renewed, nil
}

// turn puts the next token, which has arrived, in the place of the one before.
func (a *Accounts) turn(ctx context.Context, s Session, now time.Time) error {
	s.previous, s.token, s.next = s.token, s.next, nil
	_, err := a.DB.RowsOf(s.Tenant).Exec(ctx, `
		UPDATE sessions SET token_hash = $1, previous_hash = $2, next_hash = NULL, rotated_at = $3, offered_at = 0, used_at = $3, idle_until = $4, mac = $5
		WHERE id = $6 AND next_hash = $1 AND revoked_at IS NULL AND tenant = $7`,
		s.token, s.previous, meta.Micros(now), meta.Micros(now.Add(sessionIdle)), a.Keys.MAC("session", s.fields()...), s.ID, string(s.Tenant))
	if err != nil {
		return fmt.Errorf("turn session's token: %w", err)
	}
	return nil
}
