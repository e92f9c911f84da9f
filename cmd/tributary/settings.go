package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/knadh/koanf/v2"
	"go.yaml.in/yaml/v3"

	"tributary/client"
)

// defaultServer is where `tributary serve` listens if it is not told otherwise.
const defaultServer = "http://127.0.0.1:8080"

// settingKeys are what the configuration file may say.
var settingKeys = []string{"server", "token_file"}

// yamlText parses the configuration file for koanf.
type yamlText struct{}

func (yamlText) Unmarshal(raw []byte) (map[string]any, error) {
	m := map[string]any{}
	if len(bytes.TrimSpace(raw)) == 0 {
		return m, nil
	}
	return m, yaml.Unmarshal(raw, &m)
}

func (yamlText) Marshal(m map[string]any) ([]byte, error) { return yaml.Marshal(m) }

// bytesOf and valuesOf are koanf providers: of a text that a parser reads, and of
// values that need none.
type (
	bytesOf  []byte
	valuesOf map[string]string
)

func (b bytesOf) ReadBytes() ([]byte, error)    { return b, nil }
func (b bytesOf) Read() (map[string]any, error) { return nil, errors.New("needs a parser") }
func (v valuesOf) ReadBytes() ([]byte, error)   { return nil, errors.New("needs no parser") }
func (v valuesOf) Read() (m map[string]any, _ error) {
	m = map[string]any{}
	for key, value := range v {
		if value != "" {
			m[key] = value
		}
	}
	return m, nil
}

// settings are where the server is and where its token is kept.
type settings struct {
	server    string
	token     string // from the environment
	tokenFile string // named by flag, environment or file; empty: the stored login
}

// configDir is where the configuration file and stored logins are; empty if this
// user has no place for such things.
func configDir() string {
	dir, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "tributary")
}

// settings reads the file, the environment and the flags, the later the stronger.
func (c *cli) settings() (settings, error) {
	k := koanf.New(".")
	if err := loadFile(k); err != nil {
		return settings{}, err
	}
	env := valuesOf{"server": os.Getenv("TRIBUTARY_SERVER"), "token_file": os.Getenv("TRIBUTARY_TOKEN_FILE")}
	flags := valuesOf{"server": c.Server, "token_file": c.TokenFile}
	for _, source := range []valuesOf{env, flags} {
		if err := k.Load(source, nil); err != nil {
			return settings{}, fmt.Errorf("read settings: %w", err)
		}
	}
	s := settings{server: k.String("server"), tokenFile: k.String("token_file")}
	if s.server == "" {
		s.server = defaultServer
	}
	// A token in the environment is weaker than a flag and stronger than the rest.
	if c.TokenFile == "" {
		s.token = os.Getenv("TRIBUTARY_TOKEN")
	}
	return s, nil
}

func loadFile(k *koanf.Koanf) error {
	dir := configDir()
	if dir == "" {
		return nil
	}
	path := filepath.Join(dir, "config.yaml")
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return usage("read configuration: %w", err)
	}
	if err := k.Load(bytesOf(raw), yamlText{}); err != nil {
		return usage("%s is not YAML: %w", path, err)
	}
	for _, key := range k.Keys() {
		if !slices.Contains(settingKeys, key) {
			return usage("%s has an unknown key %q; it may have: %s", path, key, strings.Join(settingKeys, ", "))
		}
	}
	return nil
}

// loginFile is where the session of a server is stored by `login --save`: one
// file for each server, so that no server is sent another's token.
func (s settings) loginFile() string {
	if s.tokenFile != "" {
		return s.tokenFile
	}
	dir := configDir()
	if dir == "" {
		return ""
	}
	name := s.server
	if u, err := url.Parse(s.server); err == nil {
		name = u.Scheme + "_" + u.Host + strings.TrimSuffix(u.Path, "/")
	}
	return filepath.Join(dir, "tokens", strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r) {
			return r
		}
		return '_'
	}, name))
}

// connect makes a client with the token of the settings, if there is one.
func (c *cli) connect(out *output) (*client.Client, error) {
	s, err := c.settings()
	if err != nil {
		return nil, err
	}
	token, file := s.token, ""
	if token == "" {
		file = s.loginFile()
		raw, err := os.ReadFile(file)
		switch {
		case err == nil:
			token = strings.TrimSpace(string(raw))
			warnOpen(out, file)
		case s.tokenFile != "":
			return nil, usage("read token: %w", err)
		}
	}
	made, err := client.New(s.server, token,
		client.WithUserAgent("tributary/"+buildVersion()),
		client.WithChannel("cli"),
		client.WithAnswers(out.answered),
		client.WithRenewal(func(token string) { keepRenewed(out, file, token) }),
	)
	if err != nil {
		return nil, &exit{code: exitUsage, err: err}
	}
	return made, nil
}

// warnOpen tells when others can read a token.
func warnOpen(out *output, file string) {
	if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o077 != 0 {
		out.note("warning: other users of this machine can read the token in %s; chmod 600 helps", file)
	}
}

// keepRenewed stores a session's new token where the old one was.
func keepRenewed(out *output, file, token string) {
	if file == "" {
		out.note("note: the session's token was renewed, and the one in TRIBUTARY_TOKEN is good for a minute more. Programs should use an API key; people, tributary login --save.")
		return
	}
	if err := writeSecret(file, token+"\n"); err != nil {
		out.note("warning: the session's new token could not be stored: %v", err)
	}
}

// writeSecret replaces a file that only its owner can read.
func writeSecret(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := newFile(path)
	if err != nil {
		return err
	}
	defer f.discard()
	if _, err := f.Write([]byte(text)); err != nil {
		return err
	}
	return f.replace()
}
