package api

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// pagePolicy is what the portals' pages may load: their own files, and nothing else
// from anywhere. Scripts cannot write markup.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data: blob:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// portal serves the built portals.
type portal struct {
	files map[string]asset // by their path
}

// asset is one file with its compressed forms.
type asset struct {
	kind, tag string
	forms     map[string][]byte // by their content encoding; "" is the plain one
}

// newPortal reads the files; they are a few hundred kilobytes. One of them is
// index.html, unless the portals were not built.
func newPortal(files fs.FS) (*portal, error) {
	p := &portal{files: map[string]asset{}}
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		ext := path.Ext(name)
		if err != nil || entry.IsDir() || ext == ".br" || ext == ".gz" || strings.HasPrefix(path.Base(name), ".") {
			return err
		}
		a := asset{kind: mime.TypeByExtension(ext), forms: map[string][]byte{}}
		for encoding, end := range map[string]string{"": "", "br": ".br", "gzip": ".gz"} {
			b, err := fs.ReadFile(files, name+end)
			if err != nil {
				continue // it is not compressed
			}
			a.forms[encoding] = b
		}
		sum := sha256.Sum256(a.forms[""])
		a.tag = `"` + hex.EncodeToString(sum[:12]) + `"`
		p.files["/"+name] = a
		return nil
	})
	return p, err
}

// page reports whether a path is one of the portals' pages, which are all the same
// file: it looks at the address itself.
func page(path string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch first {
	case "", "login", "signup", "forgot", "reset", "invite", "app", "admin":
		return true
	}
	return false
}

// serve answers with a file or page of the portals, and reports whether there is one.
func (p *portal) serve(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	a, ok := p.files[r.URL.Path]
	h := w.Header()
	switch {
	case ok && strings.HasPrefix(r.URL.Path, "/assets/"): // its name has its hash
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	case ok:
		h.Set("Cache-Control", "no-cache")
	case !page(r.URL.Path):
		return false
	default:
		if a, ok = p.files["/index.html"]; !ok {
			text(w, http.StatusNotFound, "The portals are not in this build: run `make build`, which builds them. The API (/docs), the command line and SFTP work.\n")
			return true
		}
		h.Set("Cache-Control", "no-cache")
	}
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	h.Set("Content-Type", a.kind)
	h.Set("Vary", "Accept-Encoding")
	h.Set("ETag", a.tag)
	if r.Header.Get("If-None-Match") == a.tag {
		w.WriteHeader(http.StatusNotModified)
		return true
	}
	body := a.forms[""]
	for _, encoding := range []string{"br", "gzip"} {
		if b, ok := a.forms[encoding]; ok && accepts(r.Header.Get("Accept-Encoding"), encoding) {
			h.Set("Content-Encoding", encoding)
			body = b
			break
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(body)
	}
	return true
}

// accepts reports whether a list of encodings has one, and does not refuse it.
func accepts(list, encoding string) bool {
	for part := range strings.SplitSeq(list, ",") {
		name, weight, _ := strings.Cut(part, ";")
		if strings.TrimSpace(name) == encoding {
			q := strings.ReplaceAll(weight, " ", "")
			return q != "q=0" && q != "q=0.0"
		}
	}
	return false
}
