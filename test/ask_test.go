package test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// answer is what came back, without what differs between any two requests.
type answer struct {
	status int
	body   string
}

// option changes what ask wants.
type option string

const owns option = "the canary is the asking tenant's own"

// ask sends a request and wants nothing of the victim's in what comes back.
// It is A itself that asks if owns is among the options.
func (s *server) ask(method, path, query, token, body string, options ...option) answer {
	s.T.Helper()
	return s.askWith(nil, method, path, query, token, body, options...)
}

func (s *server) askWith(header []string, method, path, query, token, body string, options ...option) answer {
	s.T.Helper()
	r := must(http.NewRequestWithContext(s.T.Context(), method, s.URL+path+"?"+strings.TrimPrefix(query, "&"), strings.NewReader(body)))(s.T)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	switch {
	case strings.HasPrefix(body, "{"):
		r.Header.Set("Content-Type", "application/json")
	case strings.Contains(body, ": "):
		r.Header.Set("Content-Type", "application/yaml")
	}
	for n := 0; n+1 < len(header); n += 2 {
		r.Header.Set(header[n], header[n+1])
	}
	w := must(http.DefaultClient.Do(r))(s.T)
	if seconds, err := strconv.Atoi(w.Header.Get("Retry-After")); err == nil && w.StatusCode == http.StatusTooManyRequests { // public routes have a rate, and all tests one address
		w.Body.Close()
		time.Sleep(time.Duration(seconds) * time.Second)
		return s.askWith(header, method, path, query, token, body, options...)
	}
	defer w.Body.Close()
	raw := must(io.ReadAll(w.Body))(s.T)
	if !slices.Contains(options, owns) && bytes.Contains(raw, []byte(canary)) || strings.Contains(fmt.Sprint(w.Header), canary) {
		s.T.Errorf("%s %s: the answer has the victim's canary in it: %q", method, path, raw)
	}
	return answer{w.StatusCode, strings.ReplaceAll(string(raw), w.Header.Get("Request-Id"), "REQUEST")}
}

// about replaces an id that the answer echoes.
func (a answer) about(id string) answer {
	a.body = strings.ReplaceAll(a.body, id, "ID")
	return a
}

// madeUp is an id of the same form that nothing has.
func madeUp(id string) string {
	kind, rest, found := strings.Cut(id, "_")
	if !found {
		return "never-was"
	}
	return kind + "_" + strings.Map(func(r rune) rune {
		if r == '0' {
			return '1'
		}
		return '0'
	}, rest)
}
