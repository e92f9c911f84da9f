package audit

import (
	"bytes"
	"crypto/sha256"
	"math/bits"
	"slices"

	"tributary/internal/tenant"
)

// Head is the last record of a chain at some time.
type Head struct {
	Tenant tenant.ID // which chain; empty is the provider's
	Seq    int64
	Hash   []byte
}

// Step is one sibling on the way from a head up to a checkpoint's root.
type Step struct {
	Left bool   // the sibling stands to the left
	Hash []byte // the sibling's
}

// leaf is the hash of a head in the tree of RFC 6962: 0 before leaves and 1
// before nodes, so that neither can be taken for the other.
func (h Head) leaf() []byte {
	b := appendText([]byte{0}, h.Tenant)
	b = appendInt(b, h.Seq)
	sum := sha256.Sum256(appendText(b, h.Hash))
	return sum[:]
}

func node(left, right []byte) []byte {
	sum := sha256.Sum256(slices.Concat([]byte{1}, left, right))
	return sum[:]
}

// leaves returns the hashes of heads in the order of their chains' ids.
func leaves(heads []Head) [][]byte {
	heads = slices.SortedFunc(slices.Values(heads), func(a, b Head) int { return bytes.Compare([]byte(a.Tenant), []byte(b.Tenant)) })
	list := make([][]byte, len(heads))
	for i, h := range heads {
		list[i] = h.leaf()
	}
	return list
}

// split is how many of n leaves stand left: the largest power of two below n.
func split(n int) int { return 1 << (bits.Len(uint(n-1)) - 1) }

// root of at least one leaf.
func root(leaves [][]byte) []byte {
	if len(leaves) == 1 {
		return leaves[0]
	}
	k := split(len(leaves))
	return node(root(leaves[:k]), root(leaves[k:]))
}

// path returns the siblings of leaf i, from the bottom up.
func path(leaves [][]byte, i int) []Step {
	if len(leaves) <= 1 {
		return nil
	}
	if k := split(len(leaves)); i < k {
		return append(path(leaves[:k], i), Step{Left: false, Hash: root(leaves[k:])})
	} else {
		return append(path(leaves[k:], i-k), Step{Left: true, Hash: root(leaves[:k])})
	}
}

// climb returns the root that a head and its path lead to.
func climb(h Head, path []Step) []byte {
	at := h.leaf()
	for _, s := range path {
		if s.Left {
			at = node(s.Hash, at)
		} else {
			at = node(at, s.Hash)
		}
	}
	return at
}
