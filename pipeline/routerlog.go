package pipeline

import (
	"github.com/ThreeDotsLabs/watermill"
	"go.uber.org/zap"
)

// routerLog passes the router's log on to zap. The router's notices are about its own life, so they are debug lines here;
// its trace lines, two a message, are dropped.
type routerLog struct{ z *zap.Logger }

func (l routerLog) Error(msg string, err error, f watermill.LogFields) {
	l.z.Error(msg, append(zapFields(f), zap.Error(err))...)
}

func (l routerLog) Info(msg string, f watermill.LogFields) {
	if c := l.z.Check(zap.DebugLevel, msg); c != nil {
		c.Write(zapFields(f)...)
	}
}

func (l routerLog) Debug(msg string, f watermill.LogFields) { l.Info(msg, f) }

func (l routerLog) Trace(string, watermill.LogFields) {}

func (l routerLog) With(f watermill.LogFields) watermill.LoggerAdapter {
	return routerLog{l.z.With(zapFields(f)...)}
}

func zapFields(f watermill.LogFields) []zap.Field {
	fields := make([]zap.Field, 0, len(f)+1)
	for k, v := range f {
		fields = append(fields, zap.Any(k, v))
	}
	return fields
}
