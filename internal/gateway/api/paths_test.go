package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
)

// A route whose input forgets the id that its path names would be about nothing,
// or about whatever the handler makes of it. What the other tests ask the built
// server says that a handler passes the id on.
func TestInputsHaveWhatPathsName(t *testing.T) {
	t.Parallel()
	s := testServer(t)
	if got := unread(s.api.OpenAPI()); len(got) > 0 {
		t.Errorf("got %v, want none", got)
	}
	for _, r := range s.routes {
		path := strings.Replace(r.path, "/{id}/{date}", "/{id}", 1)
		if strings.Count(path, "{") > 1 || strings.Contains(path, "{") != strings.Contains(path, "/{id}") {
			t.Errorf("%s: the path %s names something else than one id, and a date: the tests of isolation do not know it", r.id, r.path)
		}
	}
}

func TestInputsThatForgetTheIDAreFound(t *testing.T) {
	t.Parallel()
	s := testServer(t)
	add(s, route{method: http.MethodGet, path: "/x/{id}", id: "x", summary: "X", action: "x:do", audience: anyone}, s.me)
	add(s, route{method: http.MethodGet, path: "/y", id: "y", summary: "Y", action: "y:do", audience: anyone}, s.submission)
	if got, want := unread(s.api.OpenAPI()), []string{"x: {id} is in its path", "y: {id} is in its input"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// unread lists what a path names and the operation's input does not, and the
// other way round.
func unread(doc *huma.OpenAPI) []string {
	var list []string
	for path, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			for _, name := range []string{"id", "date"} {
				named := slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.In == "path" && p.Name == name && p.Required })
				switch part := "{" + name + "}"; {
				case strings.Contains(path, part) && !named:
					list = append(list, fmt.Sprintf("%s: %s is in its path", op.OperationID, part))
				case !strings.Contains(path, part) && named:
					list = append(list, fmt.Sprintf("%s: %s is in its input", op.OperationID, part))
				}
			}
		}
	}
	slices.Sort(list)
	return list
}
