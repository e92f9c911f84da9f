package sftp

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tributary/client"
	"tributary/test/servertest"
)

// run runs a client and wants it to succeed.
func (w *world) run(t *testing.T, stdin, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), servertest.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, servertest.Need(t, name), args...)
	cmd.Stdin, cmd.Env, cmd.Dir = strings.NewReader(stdin), []string{"HOME=" + w.Home, "PATH=" + os.Getenv("PATH"), "TZ=UTC"}, w.Home
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

// known writes a configuration for OpenSSH in which host A is the person's, and a
// file of known hosts from what the API says.
func (w *world) known(t *testing.T, p person) (config, hosts, host, port string) {
	t.Helper()
	at := w.place()
	host, port, err := net.SplitHostPort(at.Address)
	if err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	for _, k := range at.HostKeys {
		fmt.Fprintf(&lines, "[%s]:%s %s\n", host, port, k.PublicKey)
	}
	hosts = w.File("known_hosts", lines.String())
	config = w.File("ssh_config", fmt.Sprintf("Host a\n HostName %s\n Port %s\n User %s\n IdentityFile %s\n IdentitiesOnly yes\n UserKnownHostsFile %s\n StrictHostKeyChecking yes\n",
		host, port, p.user.SFTPLogin, p.keyFile, hosts))
	return config, hosts, host, port
}

// files makes files of a folder: name and content.
func files(t *testing.T, dir string, n int) (names []string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		day := fmt.Sprintf("2026-08-%02d", i+1)
		name := servertest.InputName(1, day)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(servertest.Values(1, day, fmt.Sprintf("x,y,%d", i))), 0o600); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return names
}

// taken wants each of the files to be an accepted submission with its bytes.
func (w *world) taken(t *testing.T, dir string, names []string) {
	t.Helper()
	s := w.connect(w.a)
	for _, name := range names {
		if got := w.verdict(s, "/input/"+name); !strings.HasSuffix(got, ".accepted.json") {
			t.Errorf("%s: %s", name, s.get(t, got))
		}
		if got, want := s.get(t, "/input/"+name), string(servertest.Must(os.ReadFile(filepath.Join(dir, name)))(t)); got != want {
			t.Errorf("%s: got back %q, want %q", name, got, want)
		}
	}
	list := servertest.Must(w.a.Submissions(t.Context(), client.SubmissionFilter{TenantPage: client.TenantPage{Page: client.Page{Limit: 500}}}))(t)
	if len(list.Items) != len(names) {
		t.Errorf("got %d submissions of %d files", len(list.Items), len(names))
	}
}

func TestOpenSSH(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	config, _, _, _ := w.known(t, w.a)
	dir := filepath.Join(t.TempDir(), "files")
	names := files(t, dir, 5)
	w.run(t, fmt.Sprintf("put %[1]s/%[2]s /input/\nput -p %[1]s/%[3]s /input/\nls -l /input\n", dir, names[0], names[1]), "sftp", "-F", config, "-b", "-", "a")
	w.run(t, "", "scp", "-s", "-p", "-F", config, filepath.Join(dir, names[2]), filepath.Join(dir, names[3]), filepath.Join(dir, names[4]), "a:/input/")
	w.taken(t, dir, names)

	// A transfer that broke off is gone on with; what is there already is not sent again.
	half := bytes.Repeat([]byte("20260901,000001,x,y,1\n"), 40_000)
	whole := append([]byte("Date,ClientID,Tag1,Tag2,Value\n"), half...)
	name := servertest.InputName(1, date)
	s := w.connect(w.a)
	f := servertest.Must(s.OpenFile("/input/"+name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC))(t)
	if _, err := f.Write(whole[:300_000]); err != nil {
		t.Fatal(err)
	}
	_ = s.raw.Close()
	s = w.connect(w.a)
	w.until("what arrived", func() bool { i, err := s.Stat("/input/" + name); return err == nil && i.Size() == 299_999 })
	if err := os.WriteFile(filepath.Join(dir, name), whole, 0o600); err != nil {
		t.Fatal(err)
	}
	out := w.run(t, fmt.Sprintf("reput %s/%s /input/\n", dir, name), "sftp", "-F", config, "-b", "-", "a")
	w.verdict(s, "/input/"+name)
	if got := s.get(t, "/input/"+name); got != string(whole) {
		t.Errorf("the resumed file has %d bytes, want %d\n%s", len(got), len(whole), out)
	}
	if sub := w.a.only(t); sub.Channel != "sftp" || sub.Size != int64(len(whole)) {
		t.Errorf("resumed: got %+v, want one submission of %d bytes over sftp", sub, len(whole))
	}

	// Results come back by the same way, and the store they lie in takes nothing.
	back := filepath.Join(t.TempDir(), "back")
	w.b.Accepted(t, "2026-08-01", servertest.Values(2, "2026-08-01", "x,y,3"))
	started := servertest.Must(w.As(w.Token).StartRuns(t.Context(), []string{servertest.Analysis}, "2026-08-01"))(t)
	if run := servertest.Must(w.As(w.Token).WaitRun(t.Context(), started.Items[0].ID, nil))(t); run.State != "succeeded" {
		t.Fatalf("run: got %+v", run)
	}
	w.run(t, "", "scp", "-s", "-F", config, "a:/output/"+servertest.Analysis+"/output-2026-08-01-000001-000001.csv", back)
	if got := string(servertest.Must(os.ReadFile(back))(t)); !strings.Contains(got, "20260801,x,y,1.5,000001,0.0") {
		t.Errorf("result: got %q", got)
	}
	for _, command := range []string{"put " + back + " /output/x", "rm /output/" + servertest.Analysis + "/output-2026-08-01-000001-000001.csv", "mkdir /output/x", "mkdir /input/x",
		"rename /input/" + names[0] + " /input/y", "symlink /input/a /input/b", "ln /input/" + names[0] + " /input/b", "get /input/../../../../etc/passwd"} {
		cmd := exec.CommandContext(t.Context(), servertest.Need(t, "sftp"), "-F", config, "-b", "-", "a")
		cmd.Stdin, cmd.Env = strings.NewReader(command+"\n"), []string{"HOME=" + w.Home, "PATH=" + os.Getenv("PATH")}
		if out, err := cmd.CombinedOutput(); err == nil {
			t.Errorf("%s was done\n%s", command, out)
		}
	}
	w.Stop()
	w.Sound()
}

func TestRclone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	_, hosts, host, port := w.known(t, w.a)
	dir := filepath.Join(t.TempDir(), "files")
	names := files(t, dir, 12)
	remote := fmt.Sprintf(":sftp,host=%s,port=%s,user=%s,key_file=%s,known_hosts_file=%s,shell_type=none:", host, port, w.a.user.SFTPLogin, w.a.keyFile, hosts)
	config := w.File("rclone.conf", "")
	w.run(t, "", "rclone", "--config", config, "copy", dir, remote+"/input")
	w.taken(t, dir, names)
	// The times are as they were, so that nothing is sent again.
	w.run(t, "", "rclone", "--config", config, "copy", dir, remote+"/input")
	w.taken(t, dir, names)
	back := filepath.Join(t.TempDir(), "back")
	w.run(t, "", "rclone", "--config", config, "copy", remote+"/input/"+servertest.Dataset, back)
	for i, name := range names {
		if _, err := os.Stat(filepath.Join(back, fmt.Sprintf("2026-08-%02d", i+1), name)); err != nil {
			t.Error(err)
		}
	}
}

func TestLFTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	config, _, host, port := w.known(t, w.a)
	dir := filepath.Join(t.TempDir(), "files")
	names := files(t, dir, 12)
	script := fmt.Sprintf("set sftp:connect-program 'ssh -a -x -F %s'\nset cmd:fail-exit yes\nopen -u %s,none sftp://a\nmirror -R --no-perms --parallel=3 %s /input\ncls -l /input\nput -c %s/%s -o /input/%s\n",
		config, w.a.user.SFTPLogin, dir, dir, names[0], names[0])
	_, _ = host, port
	w.run(t, script, "lftp", "-f", "/dev/stdin")
	w.taken(t, dir, names)
}

// paramiko is what Python programs do: they check the size of what they have put.
const paramiko = `
import sys
sys.path.insert(0, sys.argv.pop(1))
import paramiko
host, port, user, key, dir = sys.argv[1:6]
c = paramiko.SSHClient()
c.load_host_keys(sys.argv[6])
c.connect(host, port=int(port), username=user, key_filename=key, allow_agent=False, look_for_keys=False)
s = c.open_sftp()
for name in sys.argv[7:]:
    s.put(dir + "/" + name, "/input/" + name + ".part")
    s.rename("/input/" + name + ".part", "/input/" + name)
    s.chmod("/input/" + name, 0o640)
    s.utime("/input/" + name, (1000000000, 1000000000))
    assert s.stat("/input/" + name).st_mtime == 1000000000
    assert s.open("/input/" + name).read() == open(dir + "/" + name, "rb").read()
try:
    s.stat("/input/nothing")
    sys.exit("there is nothing")
except FileNotFoundError:
    pass
try:
    s.put(dir + "/" + name, "/output/" + name)
    sys.exit("output takes files")
except PermissionError:
    pass
`

func TestParamiko(t *testing.T) {
	t.Parallel()
	python := servertest.Need(t, "python3")
	modules := servertest.Must(filepath.Abs(filepath.Join(servertest.Repository(), ".cache", "paramiko")))(t)
	if _, err := os.Stat(modules); err != nil {
		if os.Getenv("TRIBUTARY_REQUIRE_ALL") != "" {
			t.Fatal("paramiko is not installed; run make deps")
		}
		t.Skip("paramiko is not installed")
	}
	w := newWorld(t, "")
	_, hosts, host, port := w.known(t, w.a)
	dir := filepath.Join(t.TempDir(), "files")
	names := files(t, dir, 4)
	w.run(t, "", python, append([]string{"-c", paramiko, modules, host, port, w.a.user.SFTPLogin, w.a.keyFile, dir, hosts}, names...)...)
	w.taken(t, dir, names)
}
