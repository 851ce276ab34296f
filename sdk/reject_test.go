package sdk_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/restante/restante/sdk"
)

func TestRejections(t *testing.T) {
	one, two := sdk.Reject(1, "a"), sdk.Reject(2, "b")
	other := errors.New("other")
	tests := map[string]struct {
		err  error
		want []sdk.Rejection
	}{
		"nil":        {nil, nil},
		"other":      {other, nil},
		"itself":     {one, []sdk.Rejection{{1, "a"}}},
		"wrapped":    {fmt.Errorf("x: %w", fmt.Errorf("y: %w", one)), []sdk.Rejection{{1, "a"}}},
		"joined":     {errors.Join(two, nil, one, other), []sdk.Rejection{{1, "a"}, {2, "b"}}},
		"nested":     {fmt.Errorf("%w and %w", errors.Join(other, two), errors.Join(errors.Join(one))), []sdk.Rejection{{1, "a"}, {2, "b"}}},
		"same id":    {errors.Join(sdk.Reject(1, "x"), two, sdk.Reject(1, "y")), []sdk.Rejection{{1, "x; y"}, {2, "b"}}},
		"nil inside": {errors.Join((*sdk.Rejection)(nil), one), []sdk.Rejection{{1, "a"}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := sdk.Rejections(test.err); !reflect.DeepEqual(got, test.want) {
				t.Errorf("Rejections = %v, want %v", got, test.want)
			}
		})
	}
}
