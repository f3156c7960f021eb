package identity

// authorizeTexts is what the choice of people says in one language.
type authorizeTexts struct {
	Lang, Product, Title, Lead, Else, Name, Hint, SignIn, Administrator string
	Error, Wrong, Warning, Language                                     string
	NoClient, NotHere, BadName                                          string
}

// authorizeIn gives the texts of a language, or English.
func authorizeIn(language string) authorizeTexts {
	if language == "de" {
		return authorizeTexts{
			Lang: "de", Product: "coco App Builder", Title: "Wer sind Sie?", Lead: "Wählen Sie eine Person, um als diese weiterzugehen.",
			Else: "Jemand anders", Name: "Name", Hint: "Jeder Name geht. Derselbe Name ist immer dieselbe Person.", SignIn: "Anmelden", Administrator: "Verwaltung",
			Error: "Fehler:", Wrong: "Etwas stimmt noch nicht", Language: "Sprache",
			Warning:  "ENTWICKLERANMELDUNG: Wer dieses Portal erreicht, kann sich ohne Kennwort als jede Person anmelden. Nur zum Ausprobieren.",
			NoClient: "Das Programm, das Sie hierher geschickt hat, sagt nicht, wer es ist (client_id).",
			NotHere:  "Das Programm, das Sie hierher geschickt hat, will Sie danach an eine Stelle schicken, die nicht auf diesem Rechner ist (redirect_uri). Die Entwickleranmeldung lässt das nicht zu.",
			BadName:  "Geben Sie einen Namen mit 1 bis 100 Zeichen ein, oder wählen Sie einen aus der Liste.",
		}
	}
	return authorizeTexts{
		Lang: "en", Product: "coco App Builder", Title: "Who are you?", Lead: "Choose a person to go on as them.",
		Else: "Somebody else", Name: "Name", Hint: "Any name works. The same name is always the same person.", SignIn: "Sign in", Administrator: Administrator,
		Error: "Error:", Wrong: "There is a problem", Language: "Language", Warning: DevelopmentWarning,
		NoClient: "The program that sent you here did not say who it is (client_id).",
		NotHere:  "The program that sent you here wants you to go on to a place that is not on this machine (redirect_uri). The development login refuses that.",
		BadName:  "Enter a name of 1 to 100 characters, or choose one from the list.",
	}
}
