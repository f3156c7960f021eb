//go:build planted

package planted

import "os"

var chosen = Bug(os.Getenv("COCO_PLANTED"))

// Is reports whether the bug is the one that COCO_PLANTED names.
func Is(b Bug) bool { return b == chosen }
