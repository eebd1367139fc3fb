// Package v2 stands in for Grafana's package of the same path, which no module proxy need serve.
//
// dashboard-linter reads dashboards of schema v2 with it. Ours are of the classic schema, which it reads without; so these
// are no more than the names that it compiles against, and a v2 dashboard is refused.
package v2

import "errors"

type DashboardSpec struct {
	Title       string
	Editable    *bool
	Elements    map[string]DashboardElement
	Variables   []DashboardVariableKind
	Annotations []DashboardAnnotationQueryKind
}

// UnmarshalJSON refuses every v2 dashboard.
func (*DashboardSpec) UnmarshalJSON([]byte) error {
	return errors.New("this build of dashboard-linter reads classic dashboards only, not schema v2")
}

type DashboardElement struct{ PanelKind *DashboardPanelKind }

type DashboardPanelKind struct{ Spec DashboardPanelSpec }

type DashboardPanelSpec struct {
	Id          float64
	Title       string
	Description string
	VizConfig   struct {
		Group string
		Spec  struct{ FieldConfig, Options any }
	}
	Data struct {
		Spec struct{ Queries []DashboardPanelQueryKind }
	}
}

type DashboardPanelQueryKind struct {
	Spec struct {
		RefId  string
		Hidden bool
		Query  DashboardDataQueryKind
	}
}

type DashboardDataQueryKind struct {
	Group      string
	Datasource *struct{ Name *string }
	Spec       map[string]any
}

type DashboardAnnotationQueryKind struct {
	Spec struct {
		Name  string
		Query DashboardDataQueryKind
	}
}

type DashboardVariableKind struct {
	QueryVariableKind      *Kind
	DatasourceVariableKind *Kind
	CustomVariableKind     *TextKind
	IntervalVariableKind   *TextKind
	ConstantVariableKind   *TextKind
	TextVariableKind       *TextKind
	AdhocVariableKind      *TextKind
	GroupByVariableKind    *TextKind
	SwitchVariableKind     *TextKind
}

// Kind is a variable that asks a data source.
type Kind struct {
	Spec struct {
		Name, PluginId  string
		Label, AllValue *string
		Multi           bool
		Refresh         DashboardVariableRefresh
		Query           DashboardDataQueryKind
	}
}

// TextKind is a variable whose query is text, where it has one.
type TextKind struct {
	Spec struct {
		Name, Query     string
		Label, AllValue *string
		Multi           bool
	}
}

type DashboardVariableRefresh string

const (
	DashboardVariableRefreshOnTimeRangeChanged DashboardVariableRefresh = "onTimeRangeChanged"
	DashboardVariableRefreshOnDashboardLoad    DashboardVariableRefresh = "onDashboardLoad"
)
