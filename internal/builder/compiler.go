package builder

import (
	"context"
	"path/filepath"

	"github.com/coco-consortium/coco/internal/builder/sample"
	"github.com/coco-consortium/coco/internal/builder/solidity"
	"github.com/coco-consortium/coco/internal/builder/workspace"
)

// compiler compiles what is uploaded, but for the samples, whose artifacts are
// part of the program: the first start compiles nothing.
type compiler struct {
	*solidity.Compilers
	strict bool
}

var _ workspace.Compiler = compiler{}

// newCompiler uses the compilers of a directory; without one those of the user, or of
// the data where a service has no user's home.
func newCompiler(dir, data string, strict bool) (compiler, error) {
	if dir == "" {
		var err error
		if dir, err = solidity.DefaultDirectory(); err != nil {
			dir = filepath.Join(data, "compilers")
		}
	}
	c, err := solidity.Open(dir)
	return compiler{c, strict}, err
}

// Output implements workspace.Compiler.
func (c compiler) Output(ctx context.Context, name string, code []byte) (*solidity.Output, error) {
	if out := sample.Output(code); out != nil {
		return out, nil
	}
	return Compile(ctx, c.Compilers, name, code, c.strict)
}

// Compile gives what is in a file of code: .sol, .zip or ready artifacts. Code that
// does not compile is no error: the output has the messages.
func Compile(ctx context.Context, c *solidity.Compilers, name string, code []byte, strict bool) (*solidity.Output, error) {
	sources, err := solidity.ReadSources(name, code)
	if err != nil {
		return nil, err
	}
	out, err := c.Compile(ctx, sources, solidity.Options{TolerateBase: !strict})
	if out != nil && len(out.Errors()) > 0 {
		return out, nil
	}
	return out, err
}
