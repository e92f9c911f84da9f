package internal

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

type (
	edge    struct{ from, to, reason string }
	library struct {
		prefix string
		at     []string
		reason string
	}
	ban struct {
		path, name string
		at         []string
		reason     string
	}
	exception struct{ where, what, reason string }
)

// source is one Go file of the module.
type source struct {
	name string // from the root of the module: internal/vault/vault.go
	pkg  string // its folder: internal/vault
	test bool   // named _test.go, or in a package of test helpers such as blobtest
	ast  *ast.File
}

// component is what src belongs to: "vault" for internal/vault/anything,
// "gateway/api", and the first folder, "cmd", for what is outside internal.
func component(pkg string) string {
	rest, inside := strings.CutPrefix(pkg, "internal/")
	parts := strings.Split(rest, "/")
	if inside && parts[0] == "gateway" && len(parts) > 1 {
		return parts[0] + "/" + parts[1]
	}
	return parts[0]
}

// rank is the height of a package in the map, and -1 where it is not on it.
func rank(pkg string) int {
	if strings.HasPrefix(pkg, "internal/") {
		for i, l := range layers {
			if slices.Contains(l.components, component(pkg)) {
				return i
			}
		}
		return -1
	}
	switch component(pkg) {
	case "client", "web":
		return 0 // and they import nothing else of the module
	case "cmd", "test", "bench":
		return len(layers)
	}
	return -1
}

// layer is the name of a package's layer, and of its folder outside internal.
func layer(pkg string) string {
	if r := rank(pkg); r >= 0 && strings.HasPrefix(pkg, "internal/") {
		return layers[r].name
	}
	return component(pkg)
}

// own returns the package of the module that an import names.
func own(imported string) (pkg string, ok bool) { return strings.CutPrefix(imported, "tributary/") }

func isPure(pkg string) bool { return slices.Contains(pure, strings.TrimPrefix(pkg, "internal/")) }

func isTestHelper(pkg string) bool { return strings.HasSuffix(pkg, "test") && path.Dir(pkg) != "." }

// isBackend reports whether pkg is below a seam without being its root.
func isBackend(pkg string) bool {
	return layer(pkg) == "seams" && pkg != "internal/"+component(pkg) && !isTestHelper(pkg)
}

// imports checks every import of the module's own packages.
func imports(files []source) (wrong []string) {
	for _, src := range files {
		if rank(src.pkg) < 0 {
			wrong = append(wrong, fmt.Sprintf("%s: package %s is not on the map; add it to layers", src.name, src.pkg))
			continue
		}
		for _, spec := range src.ast.Imports {
			pkg, ok := own(unquote(spec.Path))
			if !ok {
				continue
			}
			if why := mayNot(src, pkg); why != "" {
				wrong = append(wrong, fmt.Sprintf("%s imports %s: %s", src.name, pkg, why))
			}
		}
	}
	return wrong
}

// mayNot says why src may not import pkg, or nothing.
func mayNot(src source, pkg string) string {
	from, to := component(src.pkg), component(pkg)
	switch {
	case src.pkg == pkg:
		return ""
	case rank(pkg) < 0:
		return "it is not on the map; add it to layers"
	case rank(src.pkg) < rank(pkg):
		return "imports go down only, from " + layer(src.pkg) + " it goes up to " + layer(pkg)
	case isTestHelper(pkg) && !src.test && layer(src.pkg) != "bench": // which is no part of the program either
		return "it is for tests only"
	case rank(src.pkg) == len(layers): // cmd, test and bench see everything
		return ""
	case from == "client", from == "web":
		return "other programs use " + from + ", so it imports nothing of the module"
	case to == "client" && rank(src.pkg) < rank("internal/gateway/api"):
		return "the API's words are for gateways and above"
	case to == "web" && from != "gateway/api":
		return "the portals are served by gateway/api"
	case src.test:
		return "" // a test may use what its package may not
	case isPure(src.pkg) && layer(pkg) != "base" && !isPure(pkg):
		return "a pure package imports base and pure packages only"
	case isBackend(pkg) && from != to && from != "app":
		return "only app knows backends; use the seam"
	case from == to, layer(src.pkg) == "base":
		return ""
	case rank(src.pkg) == rank(pkg) && !slices.ContainsFunc(edges, func(e edge) bool { return e.from == from && e.to == to }):
		return "they are of one layer and the edge is not listed"
	}
	return ""
}

// unusedEdges checks that each listed edge has its reason and, when both its
// ends exist, an import.
func unusedEdges(files []source) (wrong []string) {
	exists := map[string]bool{}
	used := map[[2]string]bool{}
	for _, src := range files {
		exists[component(src.pkg)] = true
		for _, spec := range src.ast.Imports {
			if pkg, ok := own(unquote(spec.Path)); ok && !src.test {
				used[[2]string{component(src.pkg), component(pkg)}] = true
			}
		}
	}
	for _, e := range edges {
		if e.reason == "" {
			wrong = append(wrong, fmt.Sprintf("edge %s -> %s gives no reason", e.from, e.to))
		}
		if exists[e.from] && exists[e.to] && !used[[2]string{e.from, e.to}] {
			wrong = append(wrong, fmt.Sprintf("edge %s -> %s is listed and not used; delete it", e.from, e.to))
		}
	}
	return wrong
}

// foreign checks that the libraries listed are imported only where they belong.
func foreign(files []source) (wrong []string) {
	for _, src := range files {
		if src.test || layer(src.pkg) == "bench" || layer(src.pkg) == "test" {
			continue // peers are measured and checked against directly
		}
		below := strings.TrimPrefix(src.pkg, "internal/")
		for _, spec := range src.ast.Imports {
			imported := unquote(spec.Path)
			for _, lib := range libraries {
				if imported != lib.prefix && (!strings.HasPrefix(imported, lib.prefix) || !strings.Contains(lib.prefix, "/")) {
					continue
				}
				if !slices.ContainsFunc(lib.at, func(at string) bool { return below == at || strings.HasPrefix(below, at+"/") }) {
					wrong = append(wrong, fmt.Sprintf("%s imports %s, which belongs in %s: %s",
						src.name, imported, strings.Join(lib.at, ", "), lib.reason))
				}
			}
		}
	}
	return wrong
}

// bannedCalls checks that what is banned is neither called nor passed around,
// and that each exception is still needed.
func bannedCalls(files []source) (wrong []string) {
	needed := map[exception]bool{}
	for _, src := range files {
		if src.test || !strings.HasPrefix(src.pkg, "internal/") {
			continue
		}
		for _, use := range selectors(src) {
			for _, b := range banned {
				if use.path != b.path || (b.name != "*" && use.name != "*" && use.name != b.name) || slices.Contains(b.at, component(src.pkg)) {
					continue
				}
				call := lastName(use.path) + "." + use.name
				if i := slices.IndexFunc(allowed, func(e exception) bool { return "internal/"+e.where == src.name && e.what == call }); i >= 0 {
					needed[allowed[i]] = true
					continue
				}
				wrong = append(wrong, fmt.Sprintf("%s uses %s: %s", src.name, call, b.reason))
			}
		}
	}
	return append(wrong, stale("allowed", allowed, needed)...)
}

type selector struct{ path, name string }

// selectors lists the uses of other packages' names in src. A dot import counts
// as a use of everything.
func selectors(src source) (uses []selector) {
	names := map[string]string{}
	for _, spec := range src.ast.Imports {
		imported := unquote(spec.Path)
		name := lastName(imported)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = imported
		if name == "." {
			uses = append(uses, selector{imported, "*"})
		}
	}
	ast.Inspect(src.ast, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && names[x.Name] != "" {
				uses = append(uses, selector{names[x.Name], sel.Sel.Name})
			}
		}
		return true
	})
	return uses
}

// lastName is the name that an import has when it is not given one.
func lastName(imported string) string { return path.Base(strings.TrimSuffix(imported, "/v2")) }

// signatures checks that what capabilities export takes a tenant.Scope, and not
// a tenant's id alone unless its name starts with Unscoped. Policy is left out,
// since it is what makes scopes.
func signatures(files []source) (wrong []string) {
	needed := map[exception]bool{}
	for _, src := range files {
		if src.test || layer(src.pkg) != "capabilities" || component(src.pkg) == "policy" {
			continue
		}
		for _, decl := range src.ast.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || !f.Name.IsExported() || strings.HasPrefix(f.Name.Name, "Unscoped") ||
				mentions(f.Type.Params, "Scope") || !mentions(f.Type.Params, "ID") && !takesText(f.Type.Params) {
				continue
			}
			name := f.Name.Name
			if f.Recv != nil {
				name = receiver(f.Recv.List[0].Type) + "." + name
			}
			where := strings.TrimPrefix(src.pkg, "internal/")
			if i := slices.IndexFunc(unscoped, func(e exception) bool { return e.where == where && e.what == name }); i >= 0 {
				needed[unscoped[i]] = true
				continue
			}
			wrong = append(wrong, fmt.Sprintf(
				"%s: %s names a tenant: take a tenant.Scope, or be named Unscoped%s", src.name, name, f.Name.Name))
		}
	}
	return append(wrong, stale("unscoped", unscoped, needed)...)
}

// takesText reports whether a parameter that is named after a tenant is a string.
func takesText(params *ast.FieldList) bool {
	for _, p := range params.List {
		text, ok := p.Type.(*ast.Ident)
		if ok && text.Name == "string" && slices.ContainsFunc(p.Names, func(n *ast.Ident) bool { return strings.HasPrefix(n.Name, "tenant") }) {
			return true
		}
	}
	return false
}

// mentions reports whether a parameter's type has tenant.<name> anywhere in it.
func mentions(params *ast.FieldList, name string) (found bool) {
	for _, p := range params.List {
		ast.Inspect(p.Type, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				x, ok := sel.X.(*ast.Ident)
				found = found || ok && x.Name == "tenant" && sel.Sel.Name == name
			}
			return true
		})
	}
	return found
}

func receiver(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.StarExpr:
		return receiver(t.X)
	case *ast.IndexExpr:
		return receiver(t.X)
	case *ast.IndexListExpr:
		return receiver(t.X)
	case *ast.Ident:
		return t.Name
	}
	return "?"
}

// stale complains of exceptions that nothing needs or that give no reason.
func stale(list string, all []exception, needed map[exception]bool) (wrong []string) {
	for _, e := range all {
		if e.reason == "" {
			wrong = append(wrong, fmt.Sprintf("%s: %s %s gives no reason", list, e.where, e.what))
		}
		if !needed[e] {
			wrong = append(wrong, fmt.Sprintf("%s: %s %s is not needed; delete it", list, e.where, e.what))
		}
	}
	return wrong
}

func unquote(lit *ast.BasicLit) string {
	s, err := strconv.Unquote(lit.Value)
	if err != nil {
		return lit.Value
	}
	return s
}

func report(t *testing.T, wrong []string) {
	t.Helper()
	for _, w := range wrong {
		t.Error(w)
	}
}

// module parses every Go file of the module, whatever its build constraints.
func module(t *testing.T) (files []source) {
	t.Helper()
	root := ".."
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			_, nested := os.Stat(filepath.Join(name, "go.mod"))
			skip := strings.HasPrefix(d.Name(), ".") && name != root || d.Name() == "testdata" || d.Name() == "node_modules"
			if skip || nested == nil && name != root {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		src, err := parse(filepath.ToSlash(rel), text)
		if src.pkg != "internal" { // this test
			files = append(files, src)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("found no Go files")
	}
	return files
}

func parse(name string, text []byte) (source, error) {
	file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
	pkg := path.Dir(name)
	return source{name: name, pkg: pkg, test: strings.HasSuffix(name, "_test.go") || isTestHelper(pkg), ast: file}, err
}
