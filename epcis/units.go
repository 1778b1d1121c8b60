package epcis

import "strings"

// unit is a unit of measure by its code of UN/ECE Recommendation 20: what it measures, and how a number of it becomes a
// number of the SI unit: value*factor + offset.
type unit struct {
	dimension      string
	factor, offset float64
}

// convert turns a value of one unit into another. A difference, such as a standard deviation, has no zero point. It
// fails for a code that is not known, unless both are the same, and for units that measure different things.
func convertUnit(value float64, from, to string, difference bool) (float64, bool) {
	if from == to {
		return value, true
	}
	f, okFrom := units[from]
	t, okTo := units[to]
	if !okFrom || !okTo || f.dimension != t.dimension {
		return 0, false
	}
	if difference {
		return value * f.factor / t.factor, true
	}
	return (value*f.factor + f.offset - t.offset) / t.factor, true
}

//nolint:gochecknoglobals // read-only table
var units = func() map[string]unit {
	m := map[string]unit{
		"KEL": {"temperature", 1, 0}, "CEL": {"temperature", 1, 273.15}, "A48": {"temperature", 5.0 / 9, 0},
		"FAH": {"temperature", 5.0 / 9, 459.67 * 5 / 9},
	}
	for dimension, list := range scaledUnits {
		for entry := range strings.FieldsSeq(list) {
			code, factor, _ := strings.Cut(entry, "=")
			f, ok := parseFloat(factor)
			if !ok {
				panic("epcis: the factor of unit " + code + " is no number")
			}
			m[code] = unit{dimension: dimension, factor: f}
		}
	}
	return m
}()

// scaledUnits are the units that only differ by a factor, each with the number of SI units that it is.
//
//nolint:gochecknoglobals // read-only table
var scaledUnits = map[string]string{
	"length": `MTR=1 DMT=0.1 CMT=0.01 MMT=0.001 4H=1e-6 C45=1e-9 C52=1e-12 KMT=1000 HMT=100 A45=10 INH=0.0254 FOT=0.3048
		YRD=0.9144 SMI=1609.344 NMI=1852`,
	"mass": `KGM=1 GRM=0.001 DG=1e-4 CGM=1e-5 MGM=1e-6 MC=1e-9 HGM=0.1 DTN=100 TNE=1000 KTN=1e6 LBR=0.45359237
		ONZ=0.028349523125 GRN=6.479891e-5 APZ=0.0311034768 STI=6.35029318 STN=907.18474 LTN=1016.0469088
		CWI=50.80234544 CWA=45.359237`,
	"pressure": `PAL=1 A97=100 KPA=1000 MPA=1e6 A89=1e9 BAR=1e5 MBR=100 ATM=101325 ATT=98066.5
		PS=6894.757293168361 HN=133.322387415 UA=133.32236842105263 F79=3386.389`,
	"concentration by mass": `KMQ=1 A93=1e-3 GP=1e-6 GQ=1e-9 23=1000 GL=1 M1=1e-3 F23=1000`,
	"volume": `MTQ=1 DMQ=0.001 CMQ=1e-6 MMQ=1e-9 LTR=0.001 HLT=0.1 A44=0.01 DLT=1e-4 CLT=1e-5 MLT=1e-6 4G=1e-9 MAL=1000
		GLL=0.003785411784 GLI=0.00454609 PTL=0.000473176473 PTI=0.00056826125 QTL=0.000946352946 QTI=0.0011365225
		OZA=2.95735295625e-5 OZI=2.84130625e-5 INQ=1.6387064e-5 FTQ=0.028316846592 YDQ=0.764554857984
		BLL=0.158987294928`,
	"time": `SEC=1 MIN=60 HUR=3600 DAY=86400 WEE=604800 MON=2629800 ANN=31557600 C26=0.001 B98=1e-6 C47=1e-9`,
	"speed": `MTS=1 KMH=0.2777777777777778 HM=0.44704 KNT=0.5144444444444445 FS=0.3048 FR=0.00508 2M=0.01
		C16=0.001 2X=0.016666666666666666 IU=0.0254`,
	"acceleration": `MSK=1 A76=0.01 K40=9.80665`,
	"area": `MTK=1 DMK=0.01 CMK=1e-4 MMK=1e-6 KMK=1e6 H18=1e4 HAR=1e4 ARE=100 ACR=4046.8564224 INK=6.4516e-4
		FTK=0.09290304 YDK=0.83612736 MIK=2589988.110336`,
	"angle": `C81=1 C25=0.001 B97=1e-6 DD=0.017453292519943295 D61=0.0002908882086657216 D62=4.84813681109536e-6
		A91=0.015707963267948967`,
	"frequency": `HTZ=1 KHZ=1e3 MHZ=1e6 A86=1e9 D29=1e12 RPS=1 RPM=0.016666666666666666`,
	"voltage":   `VLT=1 2Z=1e-3 D82=1e-6 KVT=1e3 B78=1e6`,
	"current":   `AMP=1 4K=1e-3 B84=1e-6 C39=1e-9 C70=1e-12 B22=1e3`,
	"power":     `WTT=1 C31=1e-3 D80=1e-6 KWT=1e3 MAW=1e6 A90=1e9 D31=1e12`,
	"energy": `JOU=1 C15=1e-3 KJO=1e3 3B=1e6 GV=1e9 WHR=3600 KWH=3.6e6 MWH=3.6e9 GWH=3.6e12 D70=4.1868
		E14=4186.8 BTU=1055.05585262 A53=1.602176634e-19`,
	"force":         `NEW=1 C20=1e-3 B73=1e6 B47=1e3 DU=1e-5 C78=4.4482216152605 B51=9.80665`,
	"resistance":    `OHM=1 E45=1e-3 B49=1e3 B75=1e6 A87=1e9`,
	"capacitance":   `FAR=1 C10=1e-3 4O=1e-6 C41=1e-9 4T=1e-12`,
	"conductance":   `SIE=1 C27=1e-3 B99=1e-6 B53=1e3`,
	"inductance":    `81=1 C14=1e-3 B90=1e-6 C43=1e-9 C73=1e-12`,
	"charge":        `COU=1 B86=1e-6 C40=1e-9 AMH=3600 E09=3.6 TAH=3.6e6`,
	"illuminance":   `LUX=1 KLX=1e3`,
	"irradiance":    `D54=1 C32=1e-3 D85=0.01 N48=1e4`,
	"amount":        `C34=1 C18=1e-3 FH=1e-6 Z9=1e-9 B45=1e3`,
	"concentration": `C36=1 C38=1000 C35=1000 M33=1 B46=1000`,
	"molality":      `C19=1`,
	"radioactivity": `BQL=1 2Q=1e3 4N=1e6 GBQ=1e9 CUR=3.7e10 MCU=3.7e7 M5=3.7e4`,
	"absorbed dose": `A95=1 C13=1e-3 C80=0.01`,
	"dose":          `D13=1 C28=1e-3 D91=0.01`,
	"dose rate": `P65=1 P66=1e-3 P67=1e-6 P68=1e-9 P70=2.777777777777778e-4 P71=2.7777777777777776e-7
		P72=2.7777777777777777e-10`,
	"flow": `MQS=1 MQH=2.777777777777778e-4 G52=1.1574074074074073e-5 G51=0.001 L2=1.6666666666666667e-5
		E32=2.7777777777777776e-7 LD=1.1574074074074074e-8`,
	"mass flow": `KGS=1 F31=0.016666666666666666 E93=2.777777777777778e-4 F30=1.1574074074074073e-5`,
	"viscosity": `C65=1 C24=0.001 89=0.1 C7=0.001`,
	"memory":    `A99=1 C37=1e3 D36=1e6 B68=1e9 AD=8 2P=8e3 4L=8e6 E34=8e9 E35=8e12`,
	"torque":    `NU=1 D83=1e-3 B48=1e3`,
	"ratio":     `C62=1 EA=1 H87=1 P1=0.01 59=1e-6 61=1e-9 PR=2 DZN=12 MIL=1000`,
}
