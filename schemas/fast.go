package schemas

type fastPath struct{}

func newFastPath() *fastPath { return &fastPath{} }
