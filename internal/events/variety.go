package events

import (
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"tributary/internal/tenant"
)

// How much variety the events of a tenant have at most in a day of UTC. What is new
// beyond that goes to quarantine; what was there before goes on.
const (
	mostKinds   = 2_000  // types
	mostMembers = 10_000 // names of members at the top of data
	mostPeople  = 1_000  // ids of users and of anonymous ones, for each event a second of the tenant's rate
	mostVariety = 16 << 20
)

// variety counts what is different among the events of each tenant since the day
// began, or since the start: types, names of members, people. It keeps hashes, of 23
// bytes each at most; with more than mostVariety in all counting begins anew, so that
// many tenants at once do not fill the memory.
type variety struct {
	seed maphash.Seed

	mu      sync.Mutex
	day     int64
	tenants map[tenant.ID]*kindsOf
	total   int
}

// kindsOf is what there was of one tenant's.
type kindsOf struct{ types, members, shapes, people hashes }

func newVariety() *variety {
	return &variety{seed: maphash.MakeSeed(), tenants: map[tenant.ID]*kindsOf{}}
}

// admit counts what an event of a tenant brings that is new, or says in words of what
// there is too much already.
func (v *variety) admit(now time.Time, ev *Event, perSecond int) string {
	shape := v.shape(ev.Data)
	v.mu.Lock()
	defer v.mu.Unlock()
	if day := dayOf(now); day != v.day || v.total > mostVariety {
		v.day, v.total = day, 0
		clear(v.tenants)
	}
	k := v.tenants[ev.Tenant]
	if k == nil {
		k = &kindsOf{}
		v.tenants[ev.Tenant] = k
	}
	if kind := v.hash(ev.Type); !v.fits(&k.types, kind, mostKinds) {
		return fmt.Sprintf("Its type is new, and the tenant's events had %d types today, which is the most.", mostKinds)
	}
	people := mostPeople * perSecond
	for _, id := range []string{ev.User, ev.Anonymous} {
		if id != "" && !v.fits(&k.people, v.hash(id), people) {
			return fmt.Sprintf("Its user is new, and the tenant's events were of %d users today, which is the most.", people)
		}
	}
	if len(ev.Data) == 0 || k.shapes.has(shape) {
		return ""
	}
	for name := range members(ev.Data) {
		if !v.fits(&k.members, v.hash(string(name)), mostMembers) {
			return fmt.Sprintf("Its data has names that are new, and those of the tenant's events had %d names today, which is the most.", mostMembers)
		}
	}
	v.fits(&k.shapes, shape, mostMembers)
	return ""
}

// fits adds a hash to a set, unless the set is full and does not have it.
func (v *variety) fits(set *hashes, key uint64, most int) bool {
	if set.has(key) {
		return true
	}
	if set.count >= most {
		return false
	}
	set.add(key)
	v.total++
	return true
}

func (v *variety) hash(s string) uint64 { return max(1, maphash.String(v.seed, s)) }

// shape is the hash of all names at the top of data, in their order.
func (v *variety) shape(data jsontext.Value) uint64 {
	var h maphash.Hash
	h.SetSeed(v.seed)
	for name := range members(data) {
		_, _ = h.Write(name) // never fails
		_ = h.WriteByte('"')
	}
	return max(1, h.Sum64())
}
