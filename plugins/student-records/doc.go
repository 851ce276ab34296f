// The student-records plugin writes the messages of the group "student" as XML
// that follows student-records.xsd, for a student records system.
//
// A message tells of one change and carries the whole record:
//
//	{
//	  "action": "create",
//	  "student": {
//	    "id": "S1234567",
//	    "familyName": "Åkesson",
//	    "givenNames": "Maja Linnéa",
//	    "preferredName": "Maja",
//	    "dateOfBirth": "2001-05-17",
//	    "email": "maja.akesson@example.ac.uk",
//	    "programme": {"code": "BSC-CS", "title": "BSc Computer Science", "startDate": "2026-09-21"},
//	    "modules": [{"code": "CS1001", "title": "Programming", "credits": 20, "mark": 67.50}]
//	  }
//	}
//
// The action is create, update or withdraw; a withdrawal also has
// "withdrawal": {"date": "2026-02-13", "reason": "…"}. The properties
// givenNames, preferredName and modules, and a module's title and mark, may be
// missing, null or empty. Properties that are not listed here are ignored.
//
// A message that lacks something, or has a value that the schema doesn't allow
// or XML 1.0 can't carry, is rejected with the names of all such fields.
// Numbers keep their digits.
//
// The names of properties count in any case of their letters.
//
// It is written with package sdk alone.
package main
