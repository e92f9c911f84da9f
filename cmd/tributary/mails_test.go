package main

import (
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestMailsNameCommandsThatThereAre reads what mails tell people to type.
func TestMailsNameCommandsThatThereAre(t *testing.T) {
	t.Parallel()
	var root cli
	parser, err := newParser(&root, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, n := range parser.Model.Leaves(true) {
		there[strings.TrimPrefix(n.FullPath(), "tributary ")] = true
	}
	mails := os.DirFS("../../internal/notify/templates")
	names, err := fs.Glob(mails, "*.txt")
	if err != nil || len(names) == 0 {
		t.Fatalf("no templates: %v", err)
	}
	found := 0
	command := regexp.MustCompile(`tributary ((?:[a-z]+ ?)+)`)
	for _, name := range names {
		text, err := fs.ReadFile(mails, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range command.FindAllStringSubmatch(string(text), -1) {
			found++
			if words := strings.TrimSpace(m[1]); !there[words] {
				t.Errorf("%s tells to type %q, and there is no such command", name, words)
			}
		}
	}
	if found < 6 {
		t.Errorf("%d commands were found in mails, want more", found)
	}
}
