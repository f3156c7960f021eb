package proof

import (
	"crypto/sha256"
	"fmt"
)

// Claim is one field of a transaction that its owner can disclose later without
// disclosing the others. Field is a Field constant; Index tells fields of one
// kind apart, such as logs, and is 0 otherwise.
type Claim struct {
	Field uint64
	Index uint64
	Value []byte
}

// DomainClaims are the claims of one key domain, in the order in which they are
// committed to, and the seed of their salts, which lies in the domain's sealed
// section.
type DomainClaims struct {
	Seed   [32]byte
	Claims []Claim
}

// Disclosure is one claim with its salt and the two paths to the claims digest:
// from the claim's leaf to its domain's root and from the leaf of that root to
// the digest, lowest sibling first. Bit i of Sides is set when hash i of the path
// is the left one. A path tells no count: only its length can be seen.
type Disclosure struct {
	_           struct{} `cbor:",toarray"`
	Field       uint64
	Index       uint64
	Value       []byte
	Salt        Hash
	Sides       uint64
	Path        []Hash
	DomainSides uint64
	DomainPath  []Hash
}

// maxPath bounds a path from outside: no tree is deeper.
const maxPath = 63

// ClaimsDigest is what a record commits to. Each domain's claims are the leaves
// of an RFC 9162 tree: leaf = leaf hash of CBOR[salt, field, index, value], salt
// = HMAC-SHA-256(seed, u64 field ‖ u64 index). The digest is the root of the
// RFC 9162 tree whose leaves are the leaf hashes of the domains' roots in the
// order of their sections, domains without claims left out. With no claims at
// all it is 32 zero bytes.
func ClaimsDigest(domains ...DomainClaims) Hash {
	if len(domains) == 1 && len(domains[0].Claims) > 0 { // a tree of one leaf
		root := domains[0].root()
		return leafOfHash(&root)
	}
	var f Frontier
	for i := range domains {
		if len(domains[i].Claims) > 0 {
			root := domains[i].root()
			f.Append(leafOfHash(&root))
		}
	}
	if f.Size() == 0 {
		return Hash{}
	}
	return f.Root()
}

// Disclose proves one claim: the claim at position claim of the domain at
// position domain.
func Disclose(domains []DomainClaims, domain, claim int) (*Disclosure, error) {
	if domain < 0 || domain >= len(domains) || claim < 0 || claim >= len(domains[domain].Claims) {
		return nil, ErrClaim.From(fmt.Errorf("there is no claim %d of domain %d", claim, domain))
	}
	of := &domains[domain]
	c := &of.Claims[claim]
	d := &Disclosure{Field: c.Field, Index: c.Index, Value: append([]byte{}, c.Value...)}
	s := newSalter(&of.Seed)
	defer salters.Put(s)
	d.Salt = s.salt(c)
	own := make(leaves, len(of.Claims))
	for i := range of.Claims {
		own[i] = s.leafOf(&of.Claims[i])
	}
	var all leaves
	place := 0
	for i := range domains {
		if len(domains[i].Claims) == 0 {
			continue
		}
		if i == domain {
			place = len(all)
		}
		root := domains[i].root()
		all = append(all, leafOfHash(&root))
	}
	var err error
	if d.Sides, d.Path, err = own.path(claim); err != nil {
		return nil, err
	}
	d.DomainSides, d.DomainPath, err = all.path(place)
	return d, err
}

// Verify checks that the claim is part of what the digest commits to.
func (d *Disclosure) Verify(digest Hash) error {
	if !fits(d.Sides, d.Path) || !fits(d.DomainSides, d.DomainPath) {
		return ErrClaim.From(fmt.Errorf("field %d: sides and path do not fit", d.Field))
	}
	root := fold(claimLeaf(&d.Salt, &Claim{d.Field, d.Index, d.Value}), d.Sides, d.Path)
	root = fold(leafOfHash(&root), d.DomainSides, d.DomainPath)
	if root != digest {
		return ErrClaim.From(fmt.Errorf("field %d, index %d", d.Field, d.Index))
	}
	return nil
}

func (d *DomainClaims) root() Hash {
	s := newSalter(&d.Seed)
	defer salters.Put(s)
	return s.root(d.Claims)
}

// claimLeaf is the RFC 9162 leaf hash of CBOR[salt, field, index, value].
func claimLeaf(salt *Hash, c *Claim) Hash {
	var room [256]byte
	return sha256.Sum256(appendLeaf(room[:0], salt, c))
}

// leaves is a small tree in memory as Nodes.
type leaves []Hash

func (l leaves) Node(level uint, index uint64) (Hash, error) {
	if level > 32 || index >= uint64(len(l)) || (index+1)<<level > uint64(len(l)) {
		return Hash{}, fmt.Errorf("outside the tree of %d leaves", len(l))
	}
	var f Frontier
	for _, leaf := range l[index<<level : (index+1)<<level] {
		f.Append(leaf)
	}
	return f.Root(), nil
}

// path is the inclusion path of leaf i with the side of each hash, as RFC 9162
// 2.1.3.2 finds it.
func (l leaves) path(i int) (uint64, []Hash, error) {
	path, err := Inclusion(l, uint64(i), uint64(len(l)))
	var sides uint64
	at, last := uint64(i), uint64(len(l)-1)
	for k := range path {
		if at&1 == 1 || at == last {
			sides |= 1 << k
			for at&1 == 0 && at != 0 {
				at, last = at>>1, last>>1
			}
		}
		at, last = at>>1, last>>1
	}
	return sides, path, err
}

// fold is the root to which a path with sides leads.
func fold(h Hash, sides uint64, path []Hash) Hash {
	for i := range path {
		if sides>>i&1 == 1 {
			h = node(&path[i], &h)
		} else {
			h = node(&h, &path[i])
		}
	}
	return h
}

func fits(sides uint64, path []Hash) bool { return len(path) <= maxPath && sides>>len(path) == 0 }
