package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

func built(t *testing.T) *portal {
	t.Helper()
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	p, err := newPortal(fstest.MapFS{".keep": file(""), "index.html": file("<page>"), "index.html.br": file("br"), "index.html.gz": file("gz"), "theme.js": file("theme"),
		"assets/app-1a2b.js": file("script")})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func fetch(p *portal, method, path string, headers ...string) (*httptest.ResponseRecorder, bool) {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	return rec, p.serve(rec, r)
}

func TestThePortalServesItsPagesAndFilesAndNothingElse(t *testing.T) {
	t.Parallel()
	p := built(t)
	for path, want := range map[string]string{"/": "<page>", "/login": "<page>", "/app/results/res_1": "<page>", "/admin": "<page>", "/assets/app-1a2b.js": "script", "/theme.js": "theme"} {
		rec, ok := fetch(p, http.MethodGet, path)
		if !ok || rec.Body.String() != want {
			t.Errorf("%s: got %q (%v), want %q", path, rec.Body, ok, want)
		}
	}
	for _, path := range []string{"/.keep", "/index.html.br", "/assets", "/assets/other.js", "/apple", "/api/v1/nothing", "/docs/x", "/%2e%2e/web.go"} {
		if rec, ok := fetch(p, http.MethodGet, path); ok {
			t.Errorf("%s: got %q, want nothing", path, rec.Body)
		}
	}
	if _, ok := fetch(p, http.MethodPost, "/login"); ok {
		t.Error("POST of a page was answered by the portal")
	}
	if rec, _ := fetch(p, http.MethodHead, "/login"); rec.Body.Len() != 0 || rec.Header().Get("Content-Length") != "6" {
		t.Errorf("HEAD: got %q with length %s, want nothing with 6", rec.Body, rec.Header().Get("Content-Length"))
	}
}

func TestThePortalsFilesAreCompressedAndCached(t *testing.T) {
	t.Parallel()
	p := built(t)
	for accept, want := range map[string]string{"gzip, deflate, br": "br", "gzip": "gz", "br;q=0, gzip;q=0.5": "gz", "": "<page>", "deflate": "<page>"} {
		if rec, _ := fetch(p, http.MethodGet, "/app", "Accept-Encoding", accept); rec.Body.String() != want {
			t.Errorf("Accept-Encoding %q: got %q, want %q", accept, rec.Body, want)
		}
	}
	first, _ := fetch(p, http.MethodGet, "/app")
	again, _ := fetch(p, http.MethodGet, "/app", "If-None-Match", first.Header().Get("ETag"))
	if again.Code != http.StatusNotModified || again.Body.Len() != 0 {
		t.Errorf("the same page again: got %d with %d bytes, want 304 with none", again.Code, again.Body.Len())
	}
	hashed, _ := fetch(p, http.MethodGet, "/assets/app-1a2b.js")
	if got := hashed.Header().Get("Cache-Control"); !strings.Contains(got, "immutable") {
		t.Errorf("a hashed file: got Cache-Control %q, want immutable", got)
	}
	if got := first.Header().Get("Cache-Control"); got != "no-cache" {
		t.Errorf("a page: got Cache-Control %q, want no-cache", got)
	}
}

func TestPagesMayLoadTheirOwnFilesOnly(t *testing.T) {
	t.Parallel()
	rec, _ := fetch(built(t), http.MethodGet, "/login")
	got := rec.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "require-trusted-types-for 'script'"} {
		if !strings.Contains(got, want) {
			t.Errorf("policy %q lacks %q", got, want)
		}
	}
	if strings.Contains(got, "unsafe") || strings.Contains(got, "http") {
		t.Errorf("policy %q opens more than it should", got)
	}
}

func TestWithoutItsBuildThePortalSaysSo(t *testing.T) {
	t.Parallel()
	p, err := newPortal(fstest.MapFS{".keep": {}})
	if err != nil {
		t.Fatal(err)
	}
	if rec, ok := fetch(p, http.MethodGet, "/app"); !ok || rec.Code != http.StatusNotFound || !strings.Contains(rec.Body.String(), "make build") {
		t.Errorf("got %d %q, want 404 and how to build them", rec.Code, rec.Body)
	}
}
