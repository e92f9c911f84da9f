// Package portal runs the stories of web/e2e: what people do in the portals, in a
// real Chromium on the built program.
package portal

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tributary/internal/notify/notifytest"
	"tributary/internal/oidc/oidctest"
	"tributary/test/servertest"
)

func TestMain(m *testing.M) { os.Exit(servertest.Main(m)) }

// report is what the runner of the stories says of them.
type report struct {
	TestResults []struct {
		Name             string `json:"name"`
		Message          string `json:"message"`
		AssertionResults []struct {
			FullName        string   `json:"fullName"`
			Status          string   `json:"status"`
			Duration        float64  `json:"duration"` // in milliseconds
			FailureMessages []string `json:"failureMessages"`
		} `json:"assertionResults"`
	} `json:"testResults"`
}

// mailbox shows the stories the mails to an address, as a person would open them.
func mailbox(t *testing.T, mails *notifytest.MailServer) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		found := []map[string]string{}
		for _, m := range mails.Mails() {
			if strings.Contains(m.To, r.URL.Query().Get("to")) {
				found = append(found, map[string]string{"subject": m.Header.Get("Subject"), "text": m.Text})
			}
		}
		_ = json.NewEncoder(w).Encode(found)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// free is an address of this host that nothing listens on: the issuer has to know
// before the server starts where it sends people back to.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

func TestStories(t *testing.T) {
	chromium, node := servertest.Chromium(t), servertest.Need(t, "node")
	mails := notifytest.New(t, "127.0.0.1", nil, nil)
	s := servertest.Initialised(t, filepath.Join(t.TempDir(), "data"), "")
	issuer := oidctest.New(t, oidctest.Person{Subject: "ada-1", Email: "ada@issuer.example"}, oidctest.Person{Subject: "eve-2", Email: "eve@issuer.example"})
	here := free(t)
	s.Start("--http", here, "--public-url", "http://"+here, "--smtp", mails.Address, "--smtp-from", "tributary@example.com", "--sign-up",
		"--oidc-issuer", issuer.URL, "--oidc-client-id", oidctest.ClientID, "--oidc-client-secret-file", s.File("oidc-secret", oidctest.Secret+"\n"), "--oidc-name", "Example login")
	tell(t, chromium, node, "TRIBUTARY_URL="+s.URL, "TRIBUTARY_TOKEN="+s.Token, "TRIBUTARY_PASSWORD="+servertest.Password, "TRIBUTARY_MAILS="+mailbox(t, mails), "TRIBUTARY_ISSUER="+issuer.URL)
	s.Stop()
	s.Sound()
}

// tell has stories told, of files whose names have STORY, and is the test of each.
func tell(t *testing.T, chromium, node string, env ...string) {
	t.Helper()
	web, err := filepath.Abs(filepath.Join(servertest.Repository(), "web"))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(filepath.Join(web, "..", "scripts", "ui")).CombinedOutput(); err != nil { // its modules are needed, also where the program is built
		t.Fatalf("scripts/ui: %v\n%s", err, out)
	}
	results := filepath.Join(t.TempDir(), "results.json")
	// A process group's end would take Chromium along; its runner closes it.
	cmd := exec.CommandContext(t.Context(), node, "node_modules/vitest/vitest.mjs", "run", "--config", "vitest.e2e.config.ts", "--reporter=json", "--outputFile="+results)
	cmd.Dir = web
	cmd.Env = append(append(os.Environ(), "TZ=Europe/Zurich", "TRIBUTARY_CHROMIUM="+chromium), env...)
	out, runErr := cmd.CombinedOutput()
	raw, err := os.ReadFile(results)
	if err != nil {
		t.Fatalf("the stories were not told: %v\n%s", runErr, out)
	}
	var got report
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	told := 0
	for _, file := range got.TestResults {
		if len(file.AssertionResults) == 0 {
			t.Errorf("%s: %s", filepath.Base(file.Name), file.Message)
		}
		for _, story := range file.AssertionResults {
			told++
			t.Run(story.FullName, func(t *testing.T) {
				t.Logf("%.1f s", story.Duration/1000)
				if story.Status != "passed" {
					t.Errorf("%s: %s", story.Status, strings.Join(story.FailureMessages, "\n"))
				}
			})
		}
	}
	if told == 0 || runErr != nil && !t.Failed() {
		t.Errorf("%d stories were told: %v\n%s", told, runErr, out)
	}
}
