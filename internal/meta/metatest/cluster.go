package metatest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Who and what is in the cluster for tests.
const (
	superuser = "postgres"
	role      = "tributary_test"
	database  = "tributary_test"
)

// started starts PostgreSQL once in a process and returns its URL. It is the one
// thing here that outlives a test, since a start takes longer than most tests.
var started = sync.OnceValues(start)

// settings are for a cluster whose data nobody will miss. Listening on nothing
// but a socket, in a directory of its own, it needs neither port nor password.
var settings = []string{
	"listen_addresses=", "fsync=off", "full_page_writes=off", "max_connections=200",
	"shared_buffers=64MB", "autovacuum=off", "jit=off", "wal_level=logical", "logging_collector=off",
	"max_wal_size=256MB", "timezone=UTC",
}

// supervise runs PostgreSQL until its standard input ends, which happens when the
// tests' process ends, however it does. Then it takes all of it away.
const supervise = `
exec 3<&0
"$1/postgres" -D "$2/data" -k "$2" </dev/null >"$2/log" 2>&1 &
pid=$!
trap '' INT TERM HUP
cat <&3 >/dev/null
kill -QUIT $pid
wait $pid
rm -rf "$2"`

const startTimeout = 30 * time.Second

func start() (string, error) {
	bin, err := binaries()
	if err != nil {
		return "", err
	}
	who, err := owner()
	if err != nil {
		return "", err
	}
	template, err := template(bin, who)
	if err != nil {
		return "", fmt.Errorf("make a cluster: %w", err)
	}
	dir, err := os.MkdirTemp(memory(), "pg")
	if err != nil {
		return "", err
	}
	if err := errors.Join(who.take(dir), who.copy(template, filepath.Join(dir, "data"))); err != nil {
		return "", fmt.Errorf("copy the cluster: %w", err)
	}
	// The writing end stays a number: an *os.File that nothing uses would be closed
	// by the garbage collector, and this one must last as long as the process.
	var pipe [2]int
	if err := syscall.Pipe2(pipe[:], syscall.O_CLOEXEC); err != nil {
		return "", err
	}
	stdin := os.NewFile(uintptr(pipe[0]), "pipe")
	cmd := who.command("sh", "-c", supervise, "sh", bin, dir)
	cmd.Dir, cmd.Stdin = dir, stdin
	cmd.SysProcAttr.Setpgid = true // an interrupt at the terminal is for the tests
	if err := cmd.Start(); err != nil {
		return "", err
	}
	_ = stdin.Close()

	u := url.URL{Scheme: "postgres", User: url.User(role), Path: "/" + database, RawQuery: url.Values{"host": {dir}}.Encode()}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, u.String())
		if err == nil {
			return u.String(), conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			return "", fmt.Errorf("PostgreSQL did not start in %v: %w\n%s", startTimeout, err, log)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Server returns the URL of a PostgreSQL for what is no test, as benchmarks. The first
// call starts it, and it ends with the process.
func Server() (string, error) {
	if address := os.Getenv(external); address != "" {
		return address, nil
	}
	return started()
}

// Schema makes an empty schema in Server and returns its URL.
func Schema(ctx context.Context, name string) (string, error) {
	address, err := Server()
	if err != nil {
		return "", err
	}
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	schema := pgx.Identifier{name}.Sanitize()
	if _, err := conn.Exec(ctx, "DROP SCHEMA IF EXISTS "+schema+" CASCADE"); err != nil {
		return "", err
	}
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// memory returns a directory in memory if the system has one with room, which
// starts the cluster ten times as fast, and otherwise "", the temporary directory.
func memory() string {
	const shm, room = "/dev/shm", 1 << 30
	var s syscall.Statfs_t
	if syscall.Statfs(shm, &s) != nil || s.Bavail*uint64(s.Bsize) < room {
		return ""
	}
	return shm
}

// binaries returns the directory with PostgreSQL's programs.
func binaries() (string, error) {
	var dirs []string
	if path, err := exec.LookPath("postgres"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(path))
		}
	}
	debian, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.SortFunc(debian, func(a, b string) int { return version(b) - version(a) })
	for _, dir := range append(dirs, debian...) {
		_, errServer := os.Stat(filepath.Join(dir, "postgres"))
		_, errInit := os.Stat(filepath.Join(dir, "initdb"))
		if errServer == nil && errInit == nil {
			return dir, nil
		}
	}
	return "", errors.New("postgres and initdb are neither in PATH nor in /usr/lib/postgresql")
}

func version(bin string) int {
	v, _ := strconv.Atoi(filepath.Base(filepath.Dir(bin)))
	return v
}

// account is who PostgreSQL runs as: it refuses to run as root.
type account struct {
	uid, gid int
	other    bool // than who runs the tests
}

func owner() (account, error) {
	if os.Getuid() != 0 {
		return account{uid: os.Getuid(), gid: os.Getgid()}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.Atoi(u.Uid)
		gid, errGID := strconv.Atoi(u.Gid)
		if errUID == nil && errGID == nil {
			return account{uid, gid, true}, nil
		}
	}
	return account{}, errors.New("PostgreSQL does not run as root, and there is no user postgres or nobody")
}

func (a account) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
	if a.other {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	return cmd
}

// take gives a file to the account.
func (a account) take(path string) error {
	if !a.other {
		return nil
	}
	return os.Lchown(path, a.uid, a.gid)
}

// copy copies a directory of plain files for the account, readable to it alone.
func (a account) copy(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		if d.IsDir() {
			return errors.Join(os.Mkdir(target, 0o700), a.take(target))
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return errors.Join(os.WriteFile(target, b, 0o600), a.take(target))
	})
}

// template returns a directory with a cluster that has the role and the
// database. It is made once for each version and kept in the user's cache.
func template(bin string, who account) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	cache = filepath.Join(cache, "tributary-test")
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return "", err
	}
	v, err := exec.Command(filepath.Join(bin, "postgres"), "--version").Output()
	if err != nil {
		return "", err
	}
	key := sha256.Sum256(fmt.Appendf(nil, "%s %s %q %q", bin, v, settings, create))
	dir := filepath.Join(cache, fmt.Sprintf("postgres-%x", key[:8]))

	lock, err := os.OpenFile(dir+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	work, err := os.MkdirTemp("", "pginit")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	if err := who.take(work); err != nil {
		return "", err
	}
	if err := initialise(bin, who, filepath.Join(work, "data")); err != nil {
		return "", err
	}
	// Copied, then renamed: what is there under its name is complete.
	fresh := dir + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return "", err
	}
	if err := (account{}).copy(filepath.Join(work, "data"), fresh); err != nil {
		return "", err
	}
	return dir, os.Rename(fresh, dir)
}

// create is fed to PostgreSQL's single-user mode, a statement a line.
const create = `CREATE ROLE ` + role + ` LOGIN NOSUPERUSER NOBYPASSRLS;
CREATE DATABASE ` + database + ` OWNER ` + role + `;
`

func initialise(bin string, who account, data string) error {
	args := []string{"-D", data, "-U", superuser, "--auth=trust", "--encoding=UTF8", "--no-sync", "--wal-segsize=1"}
	// A collation as people's servers have, where the build has one: what sorts
	// otherwise there than in SQLite should show here.
	init := who.command(filepath.Join(bin, "initdb"), append(args, "--locale=C", "--locale-provider=icu", "--icu-locale=en")...)
	if _, err := init.CombinedOutput(); err != nil {
		init = who.command(filepath.Join(bin, "initdb"), append(args, "--locale=C")...)
		if out, err := init.CombinedOutput(); err != nil {
			return fmt.Errorf("initdb: %w\n%s", err, out)
		}
	}
	conf, err := os.OpenFile(filepath.Join(data, "postgresql.conf"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		if _, err := fmt.Fprintf(conf, "%s = '%s'\n", name, value); err != nil {
			return err
		}
	}
	if err := conf.Close(); err != nil {
		return err
	}
	single := who.command(filepath.Join(bin, "postgres"), "--single", "-D", data, "-c", "exit_on_error=true", "postgres")
	single.Stdin = strings.NewReader(create)
	if out, err := single.CombinedOutput(); err != nil {
		return fmt.Errorf("create role and database: %w\n%s", err, out)
	}
	return nil
}
