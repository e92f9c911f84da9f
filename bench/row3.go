package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"tributary/client"
)

const (
	sftpFloor    = 1.0 // of OpenSSH's own server, each with the default client
	sftpCPU      = 1.3 // of its processor time, at most
	largeFile    = 512 << 20
	smallFiles   = 1_000
	smallFile    = 64 << 10
	opensshPlace = "/usr/sbin/sshd"
)

// target is a server that OpenSSH's client puts files to and gets them from.
type target struct {
	name, config string // of ssh
	folder       string
	options      []string // of the client
	// spent returns the processor time that the server needs for what do does.
	spent func(do func() error) (time.Duration, error)
}

// sftp moves a large file and many small ones to the product and to OpenSSH's own
// server, with OpenSSH's client as it comes.
func (b *bench) sftp(ctx context.Context) error {
	size, count := int64(largeFile), smallFiles
	if b.quick {
		size, count = size/10, count/10
	}
	for _, needed := range []string{opensshPlace, "sftp", "ssh-keygen"} {
		if _, err := exec.LookPath(needed); err != nil {
			return fmt.Errorf("the peer is missing, install openssh-server and openssh-client: %w", err)
		}
	}
	s, err := b.newStore(ctx, "files")
	if err != nil {
		return err
	}
	p, err := b.start(ctx, s)
	if err != nil {
		return err
	}
	defer func() { _ = p.kill() }() // if it is still there
	key := filepath.Join(b.dir, "client")
	if err := keygen(ctx, key); err != nil {
		return err
	}
	admin, err := p.client(s.token)
	if err != nil {
		return err
	}
	ours, err := b.tributary(ctx, p, admin, key, size)
	if err != nil {
		return err
	}
	theirs, end, err := b.openssh(ctx, key)
	if err != nil {
		return err
	}
	defer end()
	if err := b.filesToSend(size, count); err != nil {
		return err
	}
	b.printf("product: put is sealed and synced before the close is answered, get opens what a put sealed; peer: %s, internal-sftp, unsealed; both: sftp -b, default ciphers (product AES-128-GCM, peer ChaCha20-Poly1305), loopback\n", opensshVersion(ctx))
	for _, t := range []target{ours, theirs} { // what is fetched
		if err := b.batch(ctx, t, fmt.Sprintf("put %[1]s/large %[2]s/large.part\nput %[1]s/small/0000.part %[2]s/one.part\nrename %[2]s/large.part %[2]s/large\nrename %[2]s/one.part %[2]s/one\n", b.dir, t.folder)); err != nil {
			return err
		}
	}
	if err := settled(ctx, admin); err != nil {
		return err
	}
	large, small := fmt.Sprintf("one file of %d MiB", size>>20), fmt.Sprintf("%d files of %d KiB", count, smallFile>>10)
	synced := theirs
	synced.options = []string{"-f"}
	const unsynced, always = "which syncs nothing", "which is asked to sync, as the product always does"
	// Each small file is two commits here, of its row and of the audit log, so that these have no floor.
	for _, m := range []move{
		{"put of " + large, unsynced, size, theirs, true, func(t target) string { return fmt.Sprintf("put %s/large %s/other.part\n", b.dir, t.folder) }},
		{"get of " + large, unsynced, size, theirs, true, func(t target) string { return fmt.Sprintf("get %s/large %s/back\n", t.folder, b.dir) }},
		{"put of " + small, always, int64(count) * smallFile, synced, false, func(t target) string { return fmt.Sprintf("put %s/small/* %s/\n", b.dir, t.folder) }},
		{"put of " + small, unsynced, int64(count) * smallFile, theirs, false, func(t target) string { return fmt.Sprintf("put %s/small/* %s/\n", b.dir, t.folder) }},
		{"get of " + small, unsynced, int64(count) * smallFile, theirs, false, func(t target) string {
			return strings.Repeat(fmt.Sprintf("get %s/one %s/back\n", t.folder, b.dir), count)
		}},
	} {
		if err := b.moves(ctx, m, ours); err != nil {
			return err
		}
	}
	return p.stop()
}

// settled waits until every submission is decided.
func settled(ctx context.Context, admin *client.Client) error {
	for _, state := range []string{"received", "validating"} {
		for {
			list, err := admin.Submissions(ctx, client.SubmissionFilter{State: state})
			if err != nil {
				return err
			}
			if len(list.Items) == 0 {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	return nil
}

// move is files going one way.
type move struct {
	what, peer string
	size       int64
	theirs     target
	floor      bool // it has one
	commands   func(target) string
}

// moves interleaves both servers, after one unmeasured turn.
func (b *bench) moves(ctx context.Context, m move, ours target) error {
	var ratios, work []float64
	var speeds [2][]float64
	for round := range b.rounds + 1 {
		var took, used [2]time.Duration
		for i, t := range []target{ours, m.theirs} {
			var err error
			if used[i], err = t.spent(func() error {
				began := time.Now()
				defer func() { took[i] = time.Since(began) }()
				return b.batch(ctx, t, m.commands(t))
			}); err != nil {
				return err
			}
		}
		if round == 0 {
			continue
		}
		ratios, work = append(ratios, took[1].Seconds()/took[0].Seconds()), append(work, used[0].Seconds()/used[1].Seconds())
		for i := range took {
			speeds[i] = append(speeds[i], float64(m.size)/1e6/took[i].Seconds())
		}
	}
	b.printf("%s: product %.0f MB/s, OpenSSH's server, %s, %.0f MB/s\n", m.what, spreadOf(speeds[0]).median, m.peer, spreadOf(speeds[1]).median)
	ratio, spent := spreadOf(ratios), spreadOf(work)
	if !m.floor {
		b.printf("no floor: %s; processor time %s\n", ratio, spent)
		return nil
	}
	b.floor(ratio.median >= sftpFloor, "%s by OpenSSH's: %s; floor %.1f", m.what, ratio, sftpFloor)
	b.floor(spent.median <= sftpCPU, "processor time by OpenSSH's: %s; at most %.1f", spent, sftpCPU)
	return nil
}

// batch has the client do commands on a new connection.
func (b *bench) batch(ctx context.Context, t target, commands string) error {
	cmd := exec.CommandContext(ctx, "sftp", append(append([]string{"-q"}, t.options...), "-F", t.config, "-b", "-", t.name)...)
	cmd.Stdin = strings.NewReader(commands)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("sftp to %s: %w: %.500s", t.name, err, text)
	}
	return nil
}

func keygen(ctx context.Context, path string) error {
	if text, err := exec.CommandContext(ctx, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path).CombinedOutput(); err != nil {
		return fmt.Errorf("make key: %w: %s", err, text)
	}
	return nil
}

func opensshVersion(ctx context.Context) string {
	text, _ := exec.CommandContext(ctx, "ssh", "-V").CombinedOutput() // a name in a report
	return strings.TrimSpace(string(text))
}

// tributary makes a tenant with a person, and the client's configuration.
func (b *bench) tributary(ctx context.Context, p *server, admin *client.Client, key string, size int64) (target, error) {
	contract := dataset + fmt.Sprintf("limits: {bytes: %d}\n", size+1)
	if _, err := admin.ApplyDataset(ctx, []byte(contract)); err != nil {
		return target{}, err
	}
	if _, err := admin.CreateTenant(ctx, client.NewTenant{Slug: "acme", Name: "Acme", Organisation: "Acme", ExternalIDs: []string{"000001"}}); err != nil {
		return target{}, err
	}
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		return target{}, err
	}
	u, err := admin.CreateUser(ctx, client.NewUser{Tenant: "acme", Email: "a@example.com", Role: "tenant_user", SSHPublicKey: string(public)})
	if err != nil {
		return target{}, err
	}
	at, err := admin.SFTP(ctx)
	if err != nil {
		return target{}, err
	}
	config, err := b.sshConfig("tributary", at.Address, u.SFTPLogin, key)
	return target{name: "tributary", config: config, folder: "/input/bench-values/" + runDate, spent: func(do func() error) (time.Duration, error) {
		before, err := p.cpu()
		if err == nil {
			err = do()
		}
		after, cpuErr := p.cpu()
		return after - before, errors.Join(err, cpuErr)
	}}, err
}

func (b *bench) sshConfig(name, address, user, key string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	path := filepath.Join(b.dir, name+".config")
	return path, os.WriteFile(path, fmt.Appendf(nil, "Host %s\n HostName %s\n Port %s\n User %s\n IdentityFile %s\n IdentitiesOnly yes\n UserKnownHostsFile /dev/null\n StrictHostKeyChecking no\n LogLevel ERROR\n",
		name, host, port, user, key), 0o600)
}

// openssh serves OpenSSH's server, a process for each connection, whose processor
// time is known when it has ended.
func (b *bench) openssh(ctx context.Context, key string) (target, func(), error) {
	folder := filepath.Join(b.dir, "openssh")
	if err := errors.Join(os.MkdirAll(folder, 0o700), os.MkdirAll("/run/sshd", 0o700)); err != nil {
		return target{}, nil, err
	}
	host, config := filepath.Join(b.dir, "host"), filepath.Join(b.dir, "sshd_config")
	if err := keygen(ctx, host); err != nil {
		return target{}, nil, err
	}
	if err := os.WriteFile(config, fmt.Appendf(nil, "HostKey %s\nAuthorizedKeysFile %s.pub\nStrictModes no\nPasswordAuthentication no\nUsePAM no\nPermitRootLogin yes\nSubsystem sftp internal-sftp\n", host, key), 0o600); err != nil {
		return target{}, nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return target{}, nil, err
	}
	ends := make(chan time.Duration, 1)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			ends <- serveOpenSSH(ctx, c, config)
		}
	}()
	sshConfig, err := b.sshConfig("openssh", l.Addr().String(), "root", key)
	return target{name: "openssh", config: sshConfig, folder: folder, spent: func(do func() error) (time.Duration, error) {
		for len(ends) > 0 {
			<-ends // of what was not measured
		}
		err := do()
		select {
		case used := <-ends:
			return used, err
		case <-time.After(10 * time.Second):
			return 0, errors.Join(err, errors.New("OpenSSH's server does not end"))
		}
	}}, func() { _ = l.Close() }, err
}

// serveOpenSSH serves a connection with a process, and returns the processor time of
// it and its children.
func serveOpenSSH(ctx context.Context, c net.Conn, config string) time.Duration {
	defer c.Close()
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return 0
	}
	f, err := tcp.File()
	if err != nil {
		return 0
	}
	cmd := exec.CommandContext(ctx, opensshPlace, "-i", "-f", config)
	cmd.Stdin, cmd.Stdout = f, f
	if err := errors.Join(cmd.Start(), f.Close(), c.Close()); err != nil { // the process has its own
		return 0
	}
	_ = cmd.Wait() // it ends as its client leaves
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

// filesToSend writes what is sent: random bytes, since nothing may profit from what
// they are.
func (b *bench) filesToSend(size int64, count int) error {
	r := rand.NewChaCha8([32]byte{seed})
	piece := make([]byte, 1<<20)
	f, err := os.Create(filepath.Join(b.dir, "large"))
	if err != nil {
		return err
	}
	for written := int64(0); written < size; written += int64(len(piece)) {
		_, _ = r.Read(piece) // never fails
		if _, err := f.Write(piece); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	if err := f.Close(); err != nil {
		return err
	}
	for _, dir := range []string{"small", "back-small"} {
		if err := os.MkdirAll(filepath.Join(b.dir, dir), 0o700); err != nil {
			return err
		}
	}
	for n := range count {
		_, _ = r.Read(piece[:smallFile])
		if err := os.WriteFile(filepath.Join(b.dir, "small", fmt.Sprintf("%04d.part", n)), piece[:smallFile], 0o600); err != nil {
			return err
		}
	}
	return nil
}
