package main

import (
	_ "embed"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(out *output) error {
	v := struct {
		Version string `json:"version"`
		Go      string `json:"go"`
		OS      string `json:"os"`
		Arch    string `json:"arch"`
	}{buildVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH}
	if out.json {
		return out.JSON(v)
	}
	out.line("tributary %s (%s, %s/%s)", v.Version, v.Go, v.OS, v.Arch)
	return nil
}

//go:generate ../../scripts/licences/collect licences.txt

//go:embed licences.txt
var licences string

type licencesCmd struct{}

// Run prints the licences of what this program contains.
func (licencesCmd) Run(out *output) error {
	_, err := io.WriteString(out.stdout, licences)
	return err
}

type helpCmd struct {
	Words []string `arg:"" optional:"" name:"topic" help:"A command, or exit-codes, environment, output, tokens."`
}

// topics are what help explains besides commands.
var topics = map[string]string{ //nolint:gosec // G101 takes a text about tokens for one
	"exit-codes": exitCodes,
	"environment": `TRIBUTARY_SERVER            the server's address; http://127.0.0.1:8080 if nothing says another
TRIBUTARY_TOKEN             the token
TRIBUTARY_TOKEN_FILE        a file with the token
TRIBUTARY_SETUP_TOKEN       the token of a setup link, for setup
NO_COLOR                    no colours
HTTPS_PROXY, NO_PROXY       the way to the server
SSL_CERT_FILE               certificates to trust besides the system's

A flag is stronger than the environment, and the environment than the configuration file, which is
$XDG_CONFIG_HOME/tributary/config.yaml (~/.config/tributary/config.yaml) and may say:

    server: https://tributary.example.com
    token_file: /home/me/.tributary-token
`,
	"output": `Data goes to standard output; progress, notes and errors go to standard error. --quiet leaves progress and notes out.

--json prints what the API answers, unchanged: a thing is an object with an id, a list is {"items":[...],"next":"..."}. Where
the API answers with nothing, nothing is printed. With --all the pages are one list. submit prints the submission with its
verdict, analysis run --wait the list of runs as they ended. Downloads print {"file":...,"size":...}.

Times are in UTC. Sizes for people are in KiB, MiB and so on; in JSON they are bytes. A list shows 50 things; --limit N
shows up to 500, --after CURSOR goes on behind an earlier list, --all shows everything.

What others have named, such as files, is printed to people with unusual characters as escapes (\x1b, \u202e).

An error is a line "error: ...", often a line "hint: ...", and "request: req_..." to find it in the server's log.
`,
	"tokens": `A token is an API key (trk_...) or a session's (trs_...). It is never a flag's value, where other users could see it. In the
order of strength:

    --token-file FILE
    TRIBUTARY_TOKEN
    TRIBUTARY_TOKEN_FILE
    token_file in the configuration file
    what tributary login --save stored for this server

Programs use API keys: tributary apikey create. People sign in: tributary login --save LOGIN. The server renews a session's
token every quarter of an hour; one that comes from a file is replaced there by itself.
`,
}

// Run prints a topic, or the help of a command.
func (h *helpCmd) Run(out *output, parser *kong.Kong) error {
	if len(h.Words) == 1 {
		if text, ok := topics[h.Words[0]]; ok {
			_, err := io.WriteString(out.stdout, text)
			return err
		}
	}
	node, ok := findNode(parser.Model.Node, h.Words)
	if !ok {
		return usage("there is no command or topic %q; topics are %s", strings.Join(h.Words, " "), strings.Join(slices.Sorted(maps.Keys(topics)), ", "))
	}
	var words []string
	for n := node; n.Parent != nil; n = n.Parent {
		words = append([]string{n.Name}, words...)
	}
	_, err := parser.Parse(append(words, "--help"))
	return err
}

// findNode finds a command by its words.
func findNode(n *kong.Node, words []string) (*kong.Node, bool) {
	for _, word := range words {
		i := slices.IndexFunc(n.Children, func(c *kong.Node) bool { return c.Type == kong.CommandNode && c.Name == word && !c.Hidden })
		if i < 0 {
			return nil, false
		}
		n = n.Children[i]
	}
	return n, true
}

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"${enum}."`
}

// completions are the scripts. They ask the program itself what may come next.
var completions = map[string]string{
	"bash": `# To load: source <(tributary completion bash)
_tributary() {
	local IFS=$'\n'
	COMPREPLY=($(tributary __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
	if [ "${COMPREPLY[0]}" = ":files" ]; then
		COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}"))
		compopt -o filenames 2>/dev/null
	fi
}
complete -F _tributary tributary
`,
	"zsh": `#compdef tributary
# To load: source <(tributary completion zsh)
_tributary() {
	local -a found
	found=("${(@f)$(tributary __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
	if [[ "${found[1]}" == ":files" ]]; then
		_files
	else
		compadd -- "${(@)found:#}"
	fi
}
compdef _tributary tributary
`,
	"fish": `# To load: tributary completion fish | source
function __tributary_complete
	set -l words (commandline -opc) (commandline -ct)
	set -l found (tributary __complete $words[2..-1] 2>/dev/null)
	if test "$found[1]" = ":files"
		__fish_complete_path (commandline -ct)
	else
		printf '%s\n' $found
	end
end
complete -c tributary -f -a '(__tributary_complete)'
`,
}

// Run prints a completion script.
func (c *completionCmd) Run(out *output) error {
	_, err := io.WriteString(out.stdout, completions[c.Shell])
	return err
}

// completeCmd is what the completion scripts ask: the words so far, the last one
// perhaps begun.
type completeCmd struct {
	Words []string `arg:"" optional:""`
}

// Run prints what the last word may become, one a line; ":files" if it is a file.
func (c *completeCmd) Run(out *output, parser *kong.Kong) error {
	for _, word := range complete(parser.Model.Node, c.Words) {
		fmt.Fprintln(out.stdout, word)
	}
	return nil
}

var filesOnly = []string{":files"}

// complete says what the last of some words may become.
func complete(n *kong.Node, words []string) []string {
	if len(words) == 0 {
		words = []string{""}
	}
	begun := words[len(words)-1]
	flags := slices.Clone(n.Flags)
	var open *kong.Flag // a flag that waits for its value
	for _, word := range words[:len(words)-1] {
		switch {
		case open != nil:
			open = nil
		case strings.HasPrefix(word, "-"):
			if name, _, hasValue := strings.Cut(word, "="); !hasValue {
				open = valued(flags, name)
			}
		default:
			if next, ok := findNode(n, []string{word}); ok {
				n = next
				flags = append(flags, n.Flags...)
			}
		}
	}
	if open != nil {
		return values(open.Value, begun)
	}
	var may []string
	if strings.HasPrefix(begun, "-") {
		for _, f := range flags {
			if !f.Hidden {
				may = append(may, "--"+f.Name)
			}
		}
		return beginning(may, begun)
	}
	for _, child := range n.Children {
		if !child.Hidden {
			may = append(may, child.Name)
		}
	}
	if n.Name == "help" {
		may = slices.Sorted(maps.Keys(topics))
	}
	for _, p := range n.Positional {
		may = append(may, values(p, begun)...)
	}
	slices.Sort(may)
	return beginning(may, begun)
}

// valued finds the flag of a name that takes a value.
func valued(flags []*kong.Flag, name string) *kong.Flag {
	for _, f := range flags {
		if (name == "--"+f.Name || f.Short != 0 && name == "-"+string(f.Short)) && !f.IsBool() {
			return f
		}
	}
	return nil
}

// values are what a flag's or argument's value may be.
func values(v *kong.Value, begun string) []string {
	if v.Enum != "" {
		var may []string
		for _, e := range v.EnumSlice() {
			if e != "" {
				may = append(may, e)
			}
		}
		return beginning(may, begun)
	}
	if v.Name == "file" || v.Flag != nil && v.Flag.PlaceHolder == "FILE" {
		return filesOnly
	}
	return nil
}

func beginning(words []string, begun string) []string {
	return slices.DeleteFunc(words, func(w string) bool { return w != filesOnly[0] && !strings.HasPrefix(w, begun) })
}
