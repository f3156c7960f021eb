package transport

import "github.com/coco-consortium/coco/internal/problem"

// Problems between nodes.
var (
	ErrRetired = problem.New("NODE_RETIRED", "the network has retired this node",
		"start it again with its data directory: it joins as a new node and reuses its verified files")
	ErrPeerUnknown = problem.New("PEER_UNKNOWN", "this node knows no address of that node",
		"name a node that the network's status lists; one that has just joined is known when its record is committed here")
	ErrUnreachable = problem.New("PEER_UNREACHABLE", "another node cannot be reached",
		"check that it runs, that its address in the network's status is right, and that no firewall stands between")
	ErrUntrusted = problem.New("PEER_UNTRUSTED", "what answers at another node's address is not that node",
		"check the address, and that both nodes have the same service.pem and clocks that are right")
	ErrIsolated = problem.New("NODE_ISOLATED", "this node is cut off from that node on purpose",
		"heal the development network")
	ErrCertificate = problem.New("NODE_CERTIFICATE", "a certificate between nodes cannot be made",
		"check that service.pem is the certificate of the network's service key")
	ErrClosed = problem.New("TRANSPORT_CLOSED", "this node's connections to the others are closed",
		"wait for the node to start again")
)
