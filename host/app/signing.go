package app

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"

	"github.com/restante/restante/host"
)

// signer reads the secrets that documents of a poll queue are signed with.
func signer(set *hcl.Attribute, q host.Queue, scope *hcl.EvalContext) (*host.Signer, hcl.Diagnostics) {
	if set == nil {
		return nil, nil
	}
	bad := func(format string, args ...any) hcl.Diagnostics {
		return hcl.Diagnostics{fault(set.Expr.Range(), "Bad secrets", fmt.Sprintf(format, args...)+".")}
	}
	if q.Method == host.Send {
		return nil, bad("The queue %q is sent, so its secrets belong into its block endpoint", q.Group)
	}
	var secrets []string
	if wrong := gohcl.DecodeExpression(set.Expr, scope, &secrets); wrong.HasErrors() {
		return nil, wrong
	}
	s, err := host.NewSigner(secrets)
	if err != nil {
		return nil, bad("secrets %v", err)
	}
	return s, nil
}
