package attest

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Encode is the policy as deterministic CBOR: maps with the names of the JSON
// form, byte strings where that has hexadecimal.
func (p Policy) Encode() ([]byte, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	return encode(p), nil
}

// Digest is SHA-256 of the encoding.
func (p Policy) Digest() ([32]byte, error) {
	if err := p.Validate(); err != nil {
		return [32]byte{}, err
	}
	return p.digest(), nil
}

func (p Policy) digest() [32]byte { return sha256.Sum256(encode(p)) }

// DecodePolicy reads what Encode wrote. It refuses what is not canonical, has
// unknown fields, or is not a valid policy.
func DecodePolicy(data []byte) (Policy, error) {
	var p Policy
	if len(data) > maxPolicy {
		return Policy{}, Refuse(ErrPolicyInvalid, "the policy has %d bytes, more than %d", len(data), maxPolicy)
	}
	if err := decode(data, &p); err != nil {
		return Policy{}, ErrPolicyInvalid.From(err)
	}
	if err := p.Validate(); err != nil {
		return Policy{}, err
	}
	return p, nil
}

// ParsePolicy reads the JSON form that people write. Names must be spelled
// exactly and once, unknown names are refused, and the policy must be valid.
func ParsePolicy(data []byte) (Policy, error) {
	var p Policy
	if len(data) > maxPolicy {
		return Policy{}, Refuse(ErrPolicyInvalid, "the policy has %d bytes, more than %d", len(data), maxPolicy)
	}
	if err := exactNames(data); err != nil {
		return Policy{}, ErrPolicyInvalid.From(err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return Policy{}, ErrPolicyInvalid.From(err)
	}
	if err := p.Validate(); err != nil {
		return Policy{}, err
	}
	return p, nil
}

// JSON is the policy in the form that ParsePolicy reads, indented.
func (p Policy) JSON() ([]byte, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	return json.MarshalIndent(p, "", "  ")
}

// exactNames refuses what encoding/json forgives: a name twice in one object,
// upper case letters in a name, a second value.
func exactNames(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := exactValue(d, 0); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something follows the policy")
	}
	return nil
}

func exactValue(d *json.Decoder, depth int) error {
	if depth > 12 {
		return errors.New("nested too deeply")
	}
	t, err := d.Token()
	if err != nil {
		return err
	}
	open, isDelim := t.(json.Delim)
	if !isDelim {
		return nil
	}
	seen := map[string]bool{}
	for d.More() {
		if open == '{' {
			t, err := d.Token()
			if err != nil {
				return err
			}
			name, _ := t.(string)
			if name != strings.ToLower(name) || seen[name] {
				return fmt.Errorf("name %q is repeated or not in lower case", name)
			}
			seen[name] = true
		}
		if err := exactValue(d, depth+1); err != nil {
			return err
		}
	}
	_, err = d.Token() // the closing delimiter
	return err
}
