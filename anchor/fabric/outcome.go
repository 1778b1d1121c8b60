package fabric

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/suyuan-io/suyuan/hub"
)

// unknown is the fault of a step after which the transaction may or may not be, or come, in a block. Its kind tells the
// hub to look before it does anything else.
func unknown(step string, err error) error {
	fault := hub.Faultf(hub.Internal, "fabric.unknown", "%s: the outcome is not known yet", step).
		Because(errors.New(explain(err))).
		WithHint("nothing is lost: the same transaction is submitted again, and counts once")
	fault.MessageZh, fault.HintZh = "交易结果尚未可知", "数据不会丢失:同一笔交易会再次提交,且只计一次"
	return fault
}

// nothingDone is the fault of a step that cannot have committed anything: it may be tried again. Where the cause is one
// that an operator has to mend, it says so.
func (l *Ledger) nothingDone(step string, err error) error {
	text := explain(err)
	if expired := l.checkIdentity(l.config.Now()); expired != nil {
		return expired.Because(errors.New(text))
	}
	fault := hub.Faultf(hub.Unavailable, "fabric.unavailable", "%s: the consortium does not answer", step)
	fault.MessageZh = "联盟链暂不可用"
	contains := func(parts ...string) bool {
		for _, part := range parts {
			if strings.Contains(strings.ToLower(text), part) {
				return true
			}
		}
		return false
	}
	switch {
	case contains("creator org unknown", "creator certificate is not valid", "msp "+strings.ToLower(l.config.MSP)+" is not defined"),
		contains("access denied", "identity is not valid", "client identity expired") || status.Code(err) == codes.PermissionDenied:
		fault.Code, fault.Message = "fabric.identity", fmt.Sprintf("%s: the channel does not accept our identity in %s", step, l.config.MSP)
		fault.MessageZh = "通道不接受本组织的身份"
		fault.Hint = "check that msp is the id of the organisation that issued the certificate, and that neither is revoked or expired"
		fault.HintZh = "请检查 msp 与证书所属组织是否一致,证书是否过期或被吊销"
	case contains("x509", "authentication handshake failed"):
		fault.Code, fault.Message = "fabric.tls", fmt.Sprintf("%s: no peer shows a TLS certificate that the configured authority signed", step)
		fault.MessageZh = "节点的 TLS 证书未通过校验"
		fault.Hint, fault.HintZh = "check peers[].ca and peers[].serverName", "请检查 peers[].ca 与 peers[].serverName"
	case contains("channel '"+strings.ToLower(l.config.Channel)+"' not found", "channel not found", "failed to get channel",
		"could not find channel", "invalid channel", "failed to get config for channel"):
		fault.Code, fault.Message = "fabric.channel", fmt.Sprintf("%s: the peer has not joined channel %s", step, l.config.Channel)
		fault.MessageZh = "节点未加入通道 " + l.config.Channel
		fault.Hint, fault.HintZh = "join the peer to the channel, or correct the name", "请让节点加入通道,或更正通道名"
	case contains("chaincode "+strings.ToLower(l.config.Chaincode)+" not found", "no peers available to evaluate chaincode",
		"is not defined", "cannot retrieve package"):
		fault.Code, fault.Message = "fabric.chaincode", fmt.Sprintf("%s: chaincode %s is not on channel %s", step, l.config.Chaincode, l.config.Channel)
		fault.MessageZh = "通道上没有链码 " + l.config.Chaincode
		fault.Hint, fault.HintZh = "install, approve and commit the chaincode", "请安装、批准并提交链码"
	}
	return fault.Because(errors.New(text))
}

// explain renders an error of the gateway with what each endorser said, on one line.
func explain(err error) string {
	s := status.Convert(err)
	parts := []string{fmt.Sprintf("%s: %.300s", s.Code(), s.Message())}
	for _, detail := range s.Details() {
		if d, ok := detail.(*gateway.ErrorDetail); ok && len(parts) < 10 {
			parts = append(parts, fmt.Sprintf("%s: %.300s", d.GetMspId(), d.GetMessage()))
		}
	}
	return strings.ReplaceAll(strings.Join(parts, "; "), "\n", " ")
}
