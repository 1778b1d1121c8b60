package epcis

import "strings"

// vocabulary is one of the closed word lists that EPCIS fields take their values from (CBV 2.0 section 7, and the GS1
// Web Vocabulary for measurements). In JSON a word stands bare, in XML and in old documents it is a URI.
type vocabulary struct {
	// web is the namespace with the words' common beginning, urn the CBV 1.x form of it, "" where there is none.
	web, urn string
	words    map[string]bool
}

func words(list string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		m[w] = true
	}
	return m
}

//nolint:gochecknoglobals // read-only tables
var (
	bizSteps = &vocabulary{"https://ref.gs1.org/cbv/BizStep-", "urn:epcglobal:cbv:bizstep:", words(`accepting arriving
		assembling collecting commissioning consigning creating_class_instance cycle_counting decommissioning departing
		destroying disassembling dispensing encoding entering_exiting holding inspecting installing killing loading other
		packing picking receiving removing repackaging repairing replacing reserving retail_selling sampling
		sensor_reporting shipping staging_outbound stock_taking stocking storing transporting unloading unpacking
		void_shipping`)}
	dispositions = &vocabulary{"https://ref.gs1.org/cbv/Disp-", "urn:epcglobal:cbv:disp:", words(`active available
		completeness_inferred completeness_verified conformant container_closed container_open damaged destroyed dispensed
		disposed encoded expired in_progress in_transit inactive mismatch_class mismatch_instance mismatch_quantity
		needs_replacement no_pedigree_match non_conformant non_sellable_other partially_dispensed recalled reserved
		retail_sold returned sellable_accessible sellable_not_accessible stolen unavailable unknown`)}
	transactionTypes = &vocabulary{"https://ref.gs1.org/cbv/BTT-", "urn:epcglobal:cbv:btt:", words(`bol cert desadv inv
		pedigree po poc prodorder recadv rma testprd testres upevt`)}
	partyTypes = &vocabulary{"https://ref.gs1.org/cbv/SDT-", "urn:epcglobal:cbv:sdt:",
		words(`location owning_party possessing_party`)}
	errorReasons = &vocabulary{"https://ref.gs1.org/cbv/ER-", "urn:epcglobal:cbv:er:",
		words(`did_not_occur incorrect_data`)}
	components = &vocabulary{"https://ref.gs1.org/cbv/Comp-", "", words(`altitude axial_distance azimuth easting
		elevation_angle height latitude longitude northing polar_angle spherical_radius x y z`)}
	alarms       = &vocabulary{gs1Vocabulary, "", words(`ALARM_CONDITION ERROR_CONDITION`)}
	measurements = &vocabulary{gs1Vocabulary, "", words(`AbsoluteHumidity AbsorbedDose AbsorbedDoseRate Acceleration
		Altitude AmountOfSubstance AmountOfSubstancePerUnitVolume Angle AngularAcceleration AngularMomentum AngularVelocity
		Area Capacitance Conductance Conductivity Count Density Dimensionless DoseEquivalent DoseEquivalentRate
		DynamicViscosity ElectricCharge ElectricCurrent ElectricCurrentDensity ElectricFieldStrength Energy Exposure Force
		Frequency Illuminance Inductance Irradiance KinematicViscosity Length LinearMomentum Luminance LuminousFlux
		LuminousIntensity MagneticFlux MagneticFluxDensity MagneticVectorPotential Mass MassConcentration MassFlowRate
		MassPerAreaTime MemoryCapacity MolalityOfSolute MolarEnergy MolarMass MolarVolume Power Pressure RadiantFlux
		RadiantIntensity Radioactivity RelativeHumidity Resistance Resistivity SolidAngle SpecificVolume Speed
		SurfaceDensity SurfaceTension Temperature Time Torque Voltage Volume VolumeFlowRate VolumeFraction VolumetricFlux
		Wavenumber`)}
)

// word returns the bare word for a value that names one in any of its forms, or the value itself.
func (v *vocabulary) word(value string) string {
	if w, ok := v.cut(value); ok && v.words[w] {
		return w
	}
	return value
}

// cut takes away what a value has in front of its word.
func (v *vocabulary) cut(value string) (word string, ok bool) {
	if v.urn != "" {
		if w, ok := strings.CutPrefix(value, v.urn); ok {
			return w, true
		}
	}
	if w, ok := strings.CutPrefix(value, v.web); ok {
		return w, true
	}
	prefix, rest, ok := strings.Cut(value, ":")
	switch {
	case ok && v.web == gs1Vocabulary:
		if prefix == "gs1" {
			return rest, true
		}
		// The addresses that the GS1 Web Vocabulary had before 2023.
		for _, old := range []string{"https://gs1.org/voc/", "https://www.gs1.org/voc/", "http://gs1.org/voc/"} {
			if w, ok := strings.CutPrefix(value, old); ok {
				return w, true
			}
		}
	case prefix == "cbv" && ok:
		return strings.CutPrefix(rest, v.web[len("https://ref.gs1.org/cbv/"):])
	case ok && (prefix == "https" || prefix == "http"):
		if w, ok := strings.CutPrefix(rest, "//ns.gs1.org/cbv/"); ok {
			return strings.CutPrefix(w, v.web[len("https://ref.gs1.org/cbv/"):])
		}
	}
	return value, false
}
