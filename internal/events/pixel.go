package events

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"tributary/internal/audit"
	"tributary/internal/control"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// NewPixels asks for links of pictures that tell, by being fetched, that a mail was
// opened: one for each recipient.
type NewPixels struct {
	Type   string         // of the events
	Users  []string       // who gets one
	Tenant string         // of the provider's sources: whose events they are, by slug or external id
	Data   jsontext.Value // of the events: a JSON object, such as which campaign it is; may be nil
}

// Pixel is the link of one recipient. Whoever has it can write that one event, once,
// and nothing else: what it says is sealed in it. It ends with its source.
type Pixel struct {
	User  string
	Token string
}

// pixel is what a link says.
type pixel struct {
	Source string         `json:"s"`
	Owner  tenant.ID      `json:"o,omitempty"`
	Tenant tenant.ID      `json:"t,omitempty"` // of the provider's
	ID     string         `json:"i"`
	Type   string         `json:"k"`
	User   string         `json:"u"`
	Data   jsontext.Value `json:"d,omitzero"`
}

// The bounds of links.
const (
	pixelPrefix    = "trp_"
	mostPixels     = 1000 // at once
	mostPixelData  = 1024
	mostPixelToken = 8192
)

var pixelContext = []byte("event pixel")

// CreatePixels makes links for a source of an owner's. The event of a recipient and
// data is one event, however many links are made for it.
func (e *Events) CreatePixels(ctx context.Context, owner tenant.Owner, source string, n NewPixels) ([]Pixel, error) {
	if err := owner.Check(ctx, tenant.Write, tenant.Credentials); err != nil {
		return nil, err
	}
	like := Event{ID: "pix", Type: n.Type, Data: n.Data.Clone()} // which malformed compacts
	if words := malformed(&like, false); words != "" {
		return nil, fault.New(fault.Invalid, "No such event can be sent. %s", words)
	}
	if len(n.Users) == 0 || len(n.Users) > mostPixels || len(like.Data) > mostPixelData {
		return nil, fault.New(fault.Invalid, "Links are for 1 to %d users at once, with data of %d bytes at most.", mostPixels, mostPixelData)
	}
	s, err := e.source(ctx, e.DB, owner.ID(), source)
	if err != nil {
		return nil, err
	}
	if s.RevokedAt != nil {
		return nil, fault.New(fault.Conflict, "The source was revoked, and its links would write nothing.")
	}
	p := pixel{Source: s.ID, Owner: s.Tenant, Type: like.Type, Data: like.Data}
	switch {
	case owner.Provider():
		t, err := e.Tenants.UnscopedNamed(ctx, n.Tenant)
		if err != nil {
			return nil, err
		}
		if t.State != control.Active {
			return nil, fault.New(fault.Conflict, "The tenant is not active.")
		}
		p.Tenant = t.ID
	case n.Tenant != "":
		return nil, fault.New(fault.Invalid, "A tenant's source sends the events of that tenant alone; its links name none.")
	}
	list := make([]Pixel, len(n.Users))
	for i, user := range n.Users {
		if user == "" || len(user) > maxID || !utf8.ValidString(user) {
			return nil, fault.New(fault.Invalid, "A user's id has 1 to %d bytes of UTF-8.", maxID)
		}
		p.User = user
		if list[i], err = e.sealPixel(p); err != nil {
			return nil, fmt.Errorf("seal a link: %w", err)
		}
	}
	err = e.DB.Transact(ctx, func(tx *meta.DB) error {
		return e.Audit.Append(ctx, tx, audit.Entry{Tenant: owner.ID(), Actor: owner.Actor(), Verb: "source.pixel", Subject: s.ID, Outcome: "ok",
			Details: map[string]any{"type": n.Type, "links": len(list), "tenant": string(p.Tenant)}})
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

func (e *Events) sealPixel(p pixel) (Pixel, error) {
	p.ID = ""
	text, err := json.Marshal(p)
	if err != nil {
		return Pixel{}, err
	}
	sum := sha256.Sum256(text)
	p.ID = "pix_" + hex.EncodeToString(sum[:16])
	if text, err = json.Marshal(p); err != nil {
		return Pixel{}, err
	}
	sealed, err := e.Keys.EncryptOwn(text, pixelContext)
	return Pixel{User: p.User, Token: pixelPrefix + base64.RawURLEncoding.EncodeToString(sealed)}, err
}

var errPixel = fault.New(fault.Unauthenticated, "The link is not one that was made here, or its source was revoked.")

// Pixel finds the event that a link writes, and the source that it is of, as Source
// does. The event comes without a time.
func (e *Events) Pixel(ctx context.Context, token string) (*Source, Event, error) {
	text, ok := strings.CutPrefix(token, pixelPrefix)
	if !ok || len(token) > mostPixelToken {
		return nil, Event{}, errPixel
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, Event{}, errPixel
	}
	plain, err := e.Keys.DecryptOwn(sealed, pixelContext)
	if fault.Is(err, fault.Damaged) {
		return nil, Event{}, errPixel
	}
	var p pixel
	if err == nil {
		err = json.Unmarshal(plain, &p)
	}
	if err != nil {
		return nil, Event{}, fmt.Errorf("open a link: %w", err)
	}
	s, err := e.current(ctx, byID(p.Source), func() (Source, error) { return e.source(ctx, e.DB, p.Owner, p.Source) })
	if fault.Is(err, fault.NotFound) {
		return nil, Event{}, errPixel
	}
	if err != nil {
		return nil, Event{}, err
	}
	its := *s
	its.about = p.Tenant
	return &its, Event{ID: p.ID, Type: p.Type, User: p.User, Data: p.Data}, nil
}
