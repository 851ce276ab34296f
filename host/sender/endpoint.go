package sender

import (
	"context"

	"github.com/restante/restante/host/sender/endpoint"
)

// Endpoint makes requests to one external system, as an *endpoint.Endpoint does. It is
// safe for concurrent use.
type Endpoint interface {
	// Send makes one request, and does not repeat it. It never takes much longer
	// than ctx.
	Send(ctx context.Context, r endpoint.Request) endpoint.Answer
}
