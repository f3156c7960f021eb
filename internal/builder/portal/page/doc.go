// Package page draws the portal: it turns plain values into HTML and knows
// neither people's rights nor where the values come from. Every page works as
// forms and links alone; the one script makes it quicker, never possible.
//
// What a person reads comes from the catalogue (texts/*.json), how it looks from
// the tokens (assets/tokens.css). All values are escaped by html/template; there
// is no inline script or style, so the Content-Security-Policy of Policy holds.
// /design shows each component in each of its conditions.
package page

// Policy is the Content-Security-Policy of all pages.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
