// Command tributary is the server and the command line of Tributary. Each noun
// has a file; the commands decode, call the API's client and print.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"tributary/client"
)

// cli is the command line.
type cli struct {
	Server    string        `placeholder:"URL" group:"general" help:"The server's address. Also TRIBUTARY_SERVER, or server in the configuration file."`
	TokenFile string        `placeholder:"FILE" group:"general" help:"File with the token: an API key, or a session's. Also TRIBUTARY_TOKEN with the token itself, TRIBUTARY_TOKEN_FILE, or token_file in the configuration file."`
	JSON      bool          `name:"json" group:"general" help:"Print what the API answers, as JSON."`
	Quiet     bool          `short:"q" group:"general" help:"No progress and no notes on standard error."`
	Timeout   time.Duration `placeholder:"DURATION" group:"general" help:"Give up after this long, such as 90s or 5m."`

	Demo      demoCmd      `cmd:"" group:"server" help:"Start a server filled with simulated tenants, to look at."`
	Init      initCmd      `cmd:"" group:"server" help:"Make a data directory with its first system admin."`
	Serve     serveCmd     `cmd:"" group:"server" help:"Run the server."`
	SetupLink setupLinkCmd `cmd:"" group:"server" help:"Make a single-use token for the first system admin of an empty store."`
	ResetLink resetLinkCmd `cmd:"" group:"server" help:"Make a single-use link to set a forgotten password with, for the provider's own people."`
	Fsck      fsckCmd      `cmd:"" group:"server" help:"Check every store of a data directory against every other."`
	Keys      keysCmd      `cmd:"" group:"server" help:"The key-encryption key: export, import, rotate, retire."`
	Backup    backupCmd    `cmd:"" group:"server" help:"Make, list, check and remove backups."`
	Restore   restoreCmd   `cmd:"" group:"server" help:"Put a backup into an empty place, on either database."`

	Setup    setupCmd    `cmd:"" group:"access" help:"Make the first system admin with the token of a setup link."`
	Login    loginCmd    `cmd:"" group:"access" help:"Sign in with a password and print the session's token."`
	Logout   logoutCmd   `cmd:"" group:"access" help:"End the session whose token is in use."`
	Me       meCmd       `cmd:"" group:"access" help:"Show who the token is."`
	Session  sessionCmd  `cmd:"" group:"access" help:"List and end one's own sessions."`
	Totp     totpCmd     `cmd:"" group:"access" help:"A second factor beside one's own password: codes of an authenticator app."`
	Identity identityCmd `cmd:"" group:"access" help:"Who the provider's people are at the issuer that they sign in with (OIDC)."`
	Password passwordCmd `cmd:"" group:"access" help:"A forgotten password: ask for a link, and use it."`
	SignUp   signUpCmd   `cmd:"" group:"access" help:"Make an account with an address of a domain that a tenant has approved."`

	Preference preferenceCmd `cmd:"" group:"access" help:"How one likes to see things in the portals."`

	Organisation organisationCmd `cmd:"" group:"tenants" help:"The owners of tenants, and how they were verified."`
	Tenant       tenantCmd       `cmd:"" group:"tenants" help:"The provider's customers, from onboarding to offboarding."`
	User         userCmd         `cmd:"" group:"tenants" help:"People, of a tenant or of the provider."`
	Invitation   invitationCmd   `cmd:"" group:"tenants" help:"Have people join by a link that is mailed to them."`
	Domain       domainCmd       `cmd:"" group:"tenants" help:"Domains whose people sign up to a tenant by themselves."`
	Sshkey       sshkeyCmd       `cmd:"" group:"tenants" help:"SSH keys that sign a user in over SFTP."`
	Apikey       apikeyCmd       `cmd:"" group:"tenants" help:"API keys for programs."`

	Webhook webhookCmd `cmd:"" group:"notices" help:"Where programs are told what has happened."`
	Notice  noticeCmd  `cmd:"" group:"notices" help:"Mails to oneself."`
	Outbox  outboxCmd  `cmd:"" group:"notices" help:"The mails that were sent, or wait."`

	Event      eventCmd      `cmd:"" group:"events" help:"Send what happens in a product."`
	Source     sourceCmd     `cmd:"" group:"events" help:"What events come from, with a write key each."`
	Query      queryCmd      `cmd:"" group:"events" help:"Ask the warehouse, in SQL."`
	Freshness  freshnessCmd  `cmd:"" group:"events" help:"How new each source, fact and model is, and what is late."`
	Warehouse  warehouseCmd  `cmd:"" group:"events" help:"How the warehouse is doing; rebuild it."`
	Plan       planCmd       `cmd:"" group:"events" help:"The tracking plan: which events there are, and what each has to have."`
	Quarantine quarantineCmd `cmd:"" group:"events" help:"Events that were not as they should be."`

	Dataset    datasetCmd    `cmd:"" group:"data" help:"Contracts for files."`
	Submit     submitCmd     `cmd:"" group:"data" help:"Send a file and wait for the verdict."`
	Sftp       sftpCmd       `cmd:"" group:"data" help:"Where the SFTP server is, and its host keys."`
	Submission submissionCmd `cmd:"" group:"data" help:"Files that were sent."`
	Period     periodCmd     `cmd:"" group:"data" help:"Which files are due, late or missing."`
	Upload     uploadCmd     `cmd:"" group:"data" help:"Large files on their way."`
	Analysis   analysisCmd   `cmd:"" group:"data" help:"Definitions: apply, accept or decline, run."`
	Disclosure disclosureCmd `cmd:"" group:"data" help:"What recipients could work out of what an analysis releases."`
	Schedule   scheduleCmd   `cmd:"" group:"data" help:"Have analyses run by the clock."`
	Run        runCmd        `cmd:"" group:"data" help:"Executions of analyses."`
	Result     resultCmd     `cmd:"" group:"data" help:"What runs made for a tenant."`
	Hold       holdCmd       `cmd:"" group:"data" help:"Legal holds: what is not deleted until they are released."`
	Retention  retentionCmd  `cmd:"" group:"data" help:"What is kept no longer."`
	Report     reportCmd     `cmd:"" group:"data" help:"Figures about all tenants over time."`
	Watch      watchCmd      `cmd:"" group:"data" help:"Print what changes, as it happens."`
	Archive    archiveCmd    `cmd:"" group:"data" help:"What the streams had: kept as sealed objects of one tenant and day each."`
	Stream     streamCmd     `cmd:"" group:"data" help:"Events of the last days: what was done, and what happened in the product."`
	Audit      auditCmd      `cmd:"" group:"data" help:"The audit log, and whether it is whole."`

	Version    versionCmd    `cmd:"" group:"about" help:"Print the version; tributary --version does too."`
	Licences   licencesCmd   `cmd:"" group:"about" help:"Print the licences of the software that this program contains."`
	Completion completionCmd `cmd:"" group:"about" help:"Print a script that completes commands in a shell."`
	Help       helpCmd       `cmd:"" group:"about" help:"Explain a command, or a topic: exit-codes, environment, output, tokens."`
	Complete   completeCmd   `cmd:"" name:"__complete" hidden:"" passthrough:""`
}

// groups are the headings of the help.
var groups = []kong.Group{
	{Key: "general", Title: "For every command:"},
	{Key: "server", Title: "The server:"},
	{Key: "access", Title: "Access:"},
	{Key: "tenants", Title: "Tenants, people and credentials:"},
	{Key: "notices", Title: "Mails and webhooks:"},
	{Key: "events", Title: "Events:"},
	{Key: "data", Title: "Datasets, files, analyses and results:"},
	{Key: "about", Title: "About this program:"},
}

func main() {
	children()
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// exiting is how kong's wish to end the program, after printing help, reaches run.
type exiting int

// newParser makes the command line's parser.
func newParser(root *cli, stdout, stderr io.Writer) (*kong.Kong, error) {
	return kong.New(root,
		kong.Name("tributary"),
		kong.Description("Multi-tenant analytics: tenants send files, analyses run across participants, each gets its own results back."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { panic(exiting(code)) }),
		kong.ExplicitGroups(groups),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 110}),
		kong.BindToProvider(newClient),
	)
}

// run runs the command line and returns the exit code.
func run(args []string, stdout, stderr io.Writer) (code int) {
	defer func() {
		if p := recover(); p != nil {
			e, ok := p.(exiting)
			if !ok {
				panic(p)
			}
			code = int(e)
		}
	}()
	out := newOutput(stdout, stderr)
	var root cli
	parser, err := newParser(&root, out.stdout, stderr)
	if err != nil {
		return out.fail(err)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	if args[0] == "--version" { // no flag of every command: some have a --version N of their own
		args = append([]string{"version"}, args[1:]...)
	}
	for _, arg := range args {
		if !utf8.ValidString(arg) { // the parser would change it, and a file's name with it
			return out.fail(usage("the argument %q is not in UTF-8", arg))
		}
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return out.fail(usageOf(err))
	}
	out.json, out.quiet = root.JSON, root.Quiet

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the second signal kills
	bound, cancel := ctx, context.CancelFunc(func() {})
	if root.Timeout > 0 {
		bound, cancel = context.WithTimeout(ctx, root.Timeout)
	}
	defer cancel()
	parsed.BindTo(bound, (*context.Context)(nil))
	err = parsed.Run(&root, out, parser)
	if err == nil {
		err = out.written()
	}
	return out.fail(err)
}

// newClient makes the client that a command asks for.
func newClient(root *cli, out *output) (*client.Client, error) {
	c, err := root.connect(out)
	if err == nil && c.Token() == "" {
		err = &exit{code: exitDenied, says: "There is no token.",
			hint: "Set TRIBUTARY_TOKEN to an API key, or sign in: tributary login --save LOGIN."}
	}
	return c, err
}

// version is set by the linker.
var version = ""

// buildVersion returns the version of this build: the release's, else what the
// build recorded of the repository, else "devel".
func buildVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12]
		}
	}
	return "devel"
}

// isTerminal reports whether w is a terminal.
func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
