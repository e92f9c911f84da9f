package keys

import (
	"container/list"
	"sync"

	"github.com/tink-crypto/tink-go/v2/tink"

	"tributary/internal/tenant"
)

// cache keeps the unwrapped keys of the tenants used last.
type cache struct {
	limit int

	mu      sync.Mutex
	epoch   uint64 // changes with each forget
	tenants map[tenant.ID]*list.Element
	order   list.List // of *cached, the one used last in front
}

type cached struct {
	id          tenant.ID
	vault, pool tink.AEAD
}

func newCache(limit int) *cache {
	return &cache{limit: limit, tenants: map[tenant.ID]*list.Element{}}
}

func (c *cached) slot(p Purpose) *tink.AEAD {
	if p == Vault {
		return &c.vault
	}
	return &c.pool
}

// of returns what the list holds, which is nothing else.
func of(e *list.Element) *cached {
	c, _ := e.Value.(*cached)
	return c
}

// get returns the cached key, or nil and the epoch to hand to put.
func (c *cache) get(id tenant.ID, p Purpose) (tink.AEAD, uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.tenants[id]
	if e == nil {
		return nil, c.epoch
	}
	c.order.MoveToFront(e)
	return *of(e).slot(p), c.epoch
}

// put caches a key that was fetched since epoch, unless something was forgotten
// meanwhile: the key may have been destroyed after it was read.
func (c *cache) put(id tenant.ID, p Purpose, key tink.AEAD, epoch uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if epoch != c.epoch {
		return
	}
	e := c.tenants[id]
	if e == nil {
		e = c.order.PushFront(&cached{id: id})
		c.tenants[id] = e
	}
	*of(e).slot(p) = key
	for len(c.tenants) > c.limit {
		last := c.order.Back()
		c.order.Remove(last)
		delete(c.tenants, of(last).id)
	}
}

func (c *cache) forget(id tenant.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	if e := c.tenants[id]; e != nil {
		c.order.Remove(e)
		delete(c.tenants, id)
	}
}
