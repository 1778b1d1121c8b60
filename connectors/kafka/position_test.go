package kafka_test

import (
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/connectors/kafka"
	"github.com/suyuan-io/suyuan/hub"
)

func TestPositionThatIsNoneIsRefused(t *testing.T) {
	o := kafka.Options{Topics: []string{"orders"}, Partitions: []int{0, 1}}
	for p, ok := range map[hub.Position]bool{
		"": true, `{}`: true, `{"orders":{"0":4711,"1":0}}`: true,
		`null`: false, `4711`: false, `{"orders":4711}`: false, `{"orders":{"2":1}}`: false, `{"orders":{"0":-1}}`: false, `{"order":{"0":1}}`: false,
	} {
		err := o.CheckPosition(p)
		if ok && err != nil || !ok && hub.AsFault(err).Code != "kafka.position" {
			t.Errorf("%s: %v", p, err)
		}
	}
	group := kafka.Options{Topics: []string{"orders"}}
	for _, p := range []hub.Position{"", `{"orders":{"0":1}}`} {
		if f := hub.AsFault(group.CheckPosition(p)); f.Code != "connector.no-position" || !strings.Contains(f.Message, "--reset-offsets") {
			t.Errorf("%q in a group: %v", p, f)
		}
	}
}
