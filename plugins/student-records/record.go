package main

import "encoding/xml"

// namespace is the target namespace of student-records.xsd.
const namespace = "https://github.com/restante/restante/ns/student-records/1"

// studentRecords is the root element.
type studentRecords struct {
	XMLName   xml.Name `xml:"studentRecords"`
	Namespace string   `xml:"xmlns,attr"`
	Version   string   `xml:"version,attr"`
	Token     string   `xml:"token,attr"`
	Records   []record `xml:"record"`
}

// record is the element of one message.
type record struct {
	ID   uint64 `xml:"id,attr"`
	Time string `xml:"time,attr"`
	change
}

// change is a message. Its types are read from JSON and written as XML: what is
// required is a string that is empty if it is missing.
type change struct {
	Action     string      `json:"action" xml:"action,attr"`
	Student    student     `json:"student" xml:"student"`
	Withdrawal *withdrawal `json:"withdrawal" xml:"withdrawal"`
}

type student struct {
	ID            string    `json:"id" xml:"id,attr"`
	FamilyName    string    `json:"familyName" xml:"familyName"`
	GivenNames    string    `json:"givenNames" xml:"givenNames,omitempty"`
	PreferredName string    `json:"preferredName" xml:"preferredName,omitempty"`
	DateOfBirth   string    `json:"dateOfBirth" xml:"dateOfBirth"`
	Email         string    `json:"email" xml:"email"`
	Programme     programme `json:"programme" xml:"programme"`
	Modules       modules   `json:"modules" xml:"modules"`
}

type programme struct {
	Code      string `json:"code" xml:"code,attr"`
	Title     string `json:"title" xml:"title"`
	StartDate string `json:"startDate" xml:"startDate"`
}

// modules is one element around all modules, or nothing if there are none:
// encoding/xml's "modules>module" writes the element even so.
type modules []module

func (m modules) MarshalXML(enc *xml.Encoder, start xml.StartElement) error {
	if len(m) == 0 {
		return nil
	}
	return enc.EncodeElement(struct {
		Modules []module `xml:"module"`
	}{m}, start)
}

type module struct {
	Code    string `json:"code" xml:"code,attr"`
	Title   string `json:"title" xml:"title,omitempty"`
	Credits number `json:"credits" xml:"credits"`
	Mark    number `json:"mark" xml:"mark,omitempty"`
}

type withdrawal struct {
	Date   string `json:"date" xml:"date"`
	Reason string `json:"reason" xml:"reason"`
}
