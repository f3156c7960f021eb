package attest

import "github.com/coco-consortium/coco/internal/problem"

// Why evidence or a policy is refused. errors.Is with one of these holds for
// every refusal of its kind. The order is the order of the checks: nothing is
// compared with a policy before its root, signature and binding hold.
var (
	ErrMalformed = problem.New("ATTEST_MALFORMED", "the evidence is not in its format",
		"ask the node for its evidence again; if it repeats, the node or the path to it is damaged")
	ErrUnsupported = problem.New("ATTEST_UNSUPPORTED", "the evidence is of a form that this verifier does not judge",
		"use a verifier that names this kind, product and version as supported")
	ErrRoot = problem.New("ATTEST_ROOT", "the evidence does not lead to a pinned root",
		"check that the node runs on the platform it claims; simulated evidence is checked by development builds only")
	ErrExpired = problem.New("ATTEST_EXPIRED", "a certificate of the evidence is not valid at that time",
		"verify at the time of admission, or let the node fetch a new chip certificate")
	ErrChip = problem.New("ATTEST_CHIP", "the chip certificate does not belong to the report",
		"let the node fetch the certificate of its chip and firmware version again")
	ErrSignature = problem.New("ATTEST_SIGNATURE", "the report is not signed by the chip",
		"do not trust this node: its report was altered")
	ErrBinding = problem.New("ATTEST_BINDING", "the evidence speaks for other keys",
		"do not trust this node: the evidence was made for something else")
	ErrPolicy = problem.New("ATTEST_POLICY", "the evidence breaks the policy",
		"bring the node to a state that the policy admits, or change the policy by a vote")
	ErrPolicyInvalid = problem.New("ATTEST_POLICY_INVALID", "the policy is not a valid attestation policy",
		"state every field; spell out what may be anything")
	ErrPlatform = problem.New("ATTEST_PLATFORM", "the platform gives no evidence",
		"start the node on a supported platform, or use a development build for a simulated one")
)

// Refuse is a refusal of the given kind that says what was found.
func Refuse(kind *problem.Error, format string, args ...any) error {
	return problem.Newf(kind.Code, kind.Next, format, args...)
}
