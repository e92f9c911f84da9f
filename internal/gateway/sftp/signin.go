package sftp

import (
	"context"
	"errors"
	"net/netip"

	"golang.org/x/crypto/ssh"

	"tributary/internal/account"
	"tributary/internal/fault"
	"tributary/internal/policy"
)

var errSignIn = errors.New("not signed in")

// identity is the key under which the callbacks keep who signed in, in the connection's
// own permissions and nowhere else.
type identity struct{}

// attempts is what was tried on a connection. It says nothing of who signed in.
type attempts struct {
	addr     netip.Addr
	keys     map[string][]string // fingerprints of the keys that were offered, by login
	sessions []account.Session   // that passwords opened
}

func (s *Server) config(ctx context.Context, tried *attempts) *ssh.ServerConfig {
	c := &ssh.ServerConfig{
		// Clients choose the first of theirs that is here: AES-GCM is the fastest, and
		// the others only slow them down.
		Config:        ssh.Config{Ciphers: []string{ssh.CipherAES128GCM, ssh.CipherAES256GCM}},
		MaxAuthTries:  6,
		ServerVersion: "SSH-2.0-Tributary",
		PublicKeyAuthAlgorithms: []string{ssh.KeyAlgoED25519, ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521,
			ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512},
		PublicKeyCallback: func(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			tried.keys[c.User()] = append(tried.keys[c.User()], ssh.FingerprintSHA256(key))
			if err := s.Accounts.OfferKey(ctx, c.User(), key, tried.addr); err != nil {
				return nil, s.unknown(ctx, err)
			}
			return &ssh.Permissions{}, nil
		},
		VerifiedPublicKeyCallback: func(c ssh.ConnMetadata, key ssh.PublicKey, _ *ssh.Permissions, _ string) (*ssh.Permissions, error) {
			p, err := s.Accounts.AuthenticateKey(ctx, c.User(), key, tried.addr)
			if err != nil {
				return nil, s.unknown(ctx, err)
			}
			return &ssh.Permissions{ExtraData: map[any]any{identity{}: p}}, nil
		},
	}
	if s.Passwords {
		c.PasswordCallback = func(c ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			p, err := s.byPassword(ctx, c.User(), string(password), tried)
			if err != nil {
				return nil, s.unknown(ctx, err)
			}
			return &ssh.Permissions{ExtraData: map[any]any{identity{}: p}}, nil
		}
	}
	for _, k := range s.HostKeys {
		c.AddHostKey(k)
	}
	return c
}

// unknown is the same answer to everybody who is not let in.
func (s *Server) unknown(ctx context.Context, err error) error {
	switch fault.KindOf(err) {
	case fault.Unauthenticated, fault.Denied, fault.NotFound, fault.Throttled, fault.Invalid, fault.Conflict:
	default:
		s.Log.ErrorContext(ctx, "sign-in failed", "error", err)
	}
	s.counted.refused.Add(ctx, 1)
	return errSignIn
}

// byPassword signs in with a password, for a session that ends with the connection.
// What is refused is in the audit log already.
func (s *Server) byPassword(ctx context.Context, login, password string, tried *attempts) (policy.Principal, error) {
	token, opened, u, err := s.Accounts.SignIn(ctx, account.Attempt{Login: login, Password: password, Codeless: true, Address: tried.addr, Agent: "SFTP"})
	if err != nil {
		return policy.Principal{}, err
	}
	tried.sessions = append(tried.sessions, opened)
	if u.Tenant == "" {
		return policy.Principal{}, fault.New(fault.Denied, "Only tenants' people have files here.")
	}
	p, _, err := s.Accounts.Authenticate(ctx, token, tried.addr)
	return p, err
}

// endSessions ends what passwords opened, whatever became of the connection.
func (s *Server) endSessions(ctx context.Context, tried *attempts) {
	for _, opened := range tried.sessions {
		p := policy.Principal{Credential: opened.ID, Kind: policy.Session, User: opened.User, Tenant: opened.Tenant}
		if err := s.Accounts.EndSession(ctx, p, opened.ID); err != nil && !fault.Is(err, fault.NotFound) {
			s.Log.WarnContext(ctx, "a session goes on until it expires", "session", opened.ID, "error", err)
		}
	}
}

// record puts the logins into the audit log for which keys were offered and nobody signed
// in, once the client has its answer. Those that were offered before the right one, as
// clients do that have several, are none.
func (s *Server) record(ctx context.Context, tried *attempts, signedIn string) {
	for login, keys := range tried.keys {
		if login == signedIn {
			continue
		}
		if err := s.Accounts.KeysRefused(ctx, login, keys, tried.addr); err != nil {
			s.Log.ErrorContext(ctx, "a refused sign-in is not in the audit log", "error", err)
		}
	}
}
