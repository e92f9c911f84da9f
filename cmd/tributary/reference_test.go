package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

var update = flag.Bool("update", false, "write docs/cli.md anew")

const (
	referenceFile = "../../docs/cli.md"
	beginCommands = "<!-- What follows is made from the commands: go test ./cmd/tributary -run TestReference -update -->\n"
)

// TestReferenceIsOfTheseCommands compares docs/cli.md with the commands and
// flags that there are. What stands above the mark is written by people.
func TestReferenceIsOfTheseCommands(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	head, _, ok := strings.Cut(string(raw), beginCommands)
	if !ok {
		t.Fatalf("%s has no line %q", referenceFile, strings.TrimSpace(beginCommands))
	}
	var root cli
	parser, err := newParser(&root, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	want := head + beginCommands + reference(parser.Model)
	if *update {
		// By another name first: the other test reads it meanwhile.
		if err := os.WriteFile(referenceFile+".new", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(referenceFile+".new", referenceFile); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(raw) != want {
		t.Errorf("%s is not about the commands that there are; to write it anew: go test ./cmd/tributary -run TestReference -update", referenceFile)
	}
}

// TestReferenceExplainsTheExitCodes compares the page's table with the program's.
func TestReferenceExplainsTheExitCodes(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(exitCodes), "\n") {
		code, text, _ := strings.Cut(line, " ")
		if row := fmt.Sprintf("| %s | %s |", code, strings.TrimSpace(text)); !strings.Contains(string(raw), row) {
			t.Errorf("%s lacks the line %q", referenceFile, row)
		}
	}
}

// reference writes a section for each group and an entry for each command.
func reference(app *kong.Application) string {
	var b strings.Builder
	for _, g := range groups {
		if g.Key == "general" {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n", strings.TrimSuffix(g.Title, ":"))
		for _, n := range app.Children {
			if n.Group != nil && n.Group.Key == g.Key {
				entry(&b, n)
			}
		}
	}
	return b.String()
}

func entry(b *strings.Builder, n *kong.Node) {
	if n.Hidden {
		return
	}
	if len(n.Children) > 0 {
		for _, child := range n.Children {
			entry(b, child)
		}
		return
	}
	words := []string{n.FullPath()}
	for _, p := range n.Positional {
		words = append(words, p.Summary())
	}
	fmt.Fprintf(b, "\n### %s\n\n    %s\n\n%s\n", n.FullPath(), strings.Join(words, " "), strings.TrimSpace(n.Help))
	var rows []string
	for _, p := range n.Positional {
		rows = append(rows, fmt.Sprintf("| `%s` | %s |", p.Summary(), cell(p.Help)))
	}
	for _, f := range n.Flags {
		if f.Hidden || f.Name == "help" {
			continue
		}
		name := "--" + f.Name
		if f.Short != 0 {
			name = "-" + string(f.Short) + ", " + name
		}
		if !f.IsBool() {
			name += " " + cmp.Or(f.PlaceHolder, strings.ToUpper(f.Name))
		}
		help := cell(f.Help)
		if f.Required {
			help += " Required."
		}
		if f.Default != "" {
			help += fmt.Sprintf(" `%s` if not said.", f.Default)
		}
		for _, env := range f.Envs {
			help += fmt.Sprintf(" Also `%s`.", env)
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s |", name, help))
	}
	if rows != nil {
		fmt.Fprintf(b, "\n| | |\n|---|---|\n%s\n", strings.Join(rows, "\n"))
	}
}

// cell makes a text fit for a table.
func cell(s string) string { return strings.ReplaceAll(strings.TrimSpace(s), "|", `\|`) }
