"""What a person who knows the study reads on its screens and means by it, written down by hand in two languages.

It is a second copy on purpose: of the wording as participants were meant to read it (the tasks' as in the paper, arXiv
2503.02823), taken neither from experiment/texts nor from study.toml.
"""

from __future__ import annotations

from experiment.lab.reading import Asked, Phrases

TASTES = {
    "en": {"sweet": "SWEET", "sour": "SOUR", "salty": "SALTY", "bitter": "BITTER"},
    "it": {"sweet": "DOLCE", "sour": "ACIDO", "salty": "SALATO", "bitter": "AMARO"},
}
FIRST_SECOND = {"en": ("the first piece", "the second piece"), "it": ("il primo brano", "il secondo brano")}
TITLES = {"en": ("First piece", "Second piece", "Listen"), "it": ("Primo brano", "Secondo brano", "Ascolta")}
SIDES = {"en": ["left", "right", "both sides"], "it": ["sinistra", "destra", "entrambi i lati"]}
STEPS = {
    "en": ["not at all", "a little", "quite", "a lot", "very much"],
    "it": ["per niente", "poco", "abbastanza", "molto", "moltissimo"],
}
ADJECTIVES = {
    "en": {"salty": "salty", "sweet": "sweet", "bitter": "bitter", "sour": "sour", "happy": "happiness", "sad": "sadness",
           "anger": "anger", "disgust": "disgust", "fear": "fear", "surprise": "surprise", "hot": "warm", "cold": "cold"},
    "it": {"salty": "salato", "sweet": "dolce", "bitter": "amaro", "sour": "acido", "happy": "felicità",
           "sad": "tristezza", "anger": "rabbia", "disgust": "disgusto", "fear": "paura", "surprise": "sorpresa",
           "hot": "caldo", "cold": "freddo"},
}  # fmt: skip
FITS = {"en": "Which piece fits the taste {} better?", "it": "Quale brano si adatta meglio al gusto {}?"}
RECOGNISE = {
    "en": "How much do you recognise this in the music?",
    "it": "Quanto riconosci questa qualità nella musica?",
}
EACH = {"en": "How much do you recognise each word in the music?", "it": "Quanto riconosci ogni parola nella musica?"}
PRACTICE = {"en": ("Practice", "Which sound is higher?"), "it": ("Prova", "Quale suono è più acuto?")}
AGE = {"en": "How old are you?", "it": "Quanti anni hai?"}
FELT = {
    "en": {"valence": ("How does the music feel?", "very unpleasant", "very pleasant"),
           "arousal": ("How much does the music stir you?", "very calm", "very excited"),
           "familiarity": ("How familiar is this music to you?", "not at all", "very much")},
    "it": {"valence": ("Com'è per te questa musica?", "molto spiacevole", "molto piacevole"),
           "arousal": ("Quanto ti attiva questa musica?", "mi calma molto", "mi attiva molto"),
           "familiarity": ("Quanto ti è familiare questa musica?", "per niente", "moltissimo")},
}  # fmt: skip
CHOICES: dict[str, dict[str, tuple[str, dict[str, str]]]] = {
    "en": {
        "sex": ("What is your sex?",
                {"male": "male", "female": "female", "other": "other", "I prefer not to say": "not_said"}),
        "hearing_experience": ("What is your experience with music or sound?",
                               {"professional": "professional", "amateur": "amateur", "none": "none"}),
        "eating_experience": ("What is your experience with food and tasting?",
                              {"professional": "professional", "amateur": "amateur", "none": "none"}),
        "ethnicity": ("Which ethnic background describes you best?",
                      {"Arab, Middle Eastern or North African": "arab", "Asian": "asian", "Black or African": "black",
                       "Latino or Hispanic": "latino", "Southeast Asian": "southeast_asian",
                       "White or European": "white", "two or more": "mixed", "not listed here": "not_listed",
                       "I prefer not to say": "not_said"}),
        "hearing_impairments": ("Is your hearing impaired?", {"yes": "yes", "no": "no"}),
        "taste_impairments": ("Is your sense of taste impaired?", {"yes": "yes", "no": "no"}),
        "device": ("How do you listen now?",
                   {"headphones": "headphones", "loudspeakers": "speakers", "hi-fi system": "hifi",
                    "another way": "other"}),
    },
    "it": {
        "sex": ("Qual è il tuo sesso?",
                {"maschio": "male", "femmina": "female", "altro": "other", "preferisco non dirlo": "not_said"}),
        "hearing_experience": ("Che esperienza hai con la musica o il suono?",
                               {"professionale": "professional", "amatoriale": "amateur", "nessuna": "none"}),
        "eating_experience": ("Che esperienza hai con il cibo e la degustazione?",
                              {"professionale": "professional", "amatoriale": "amateur", "nessuna": "none"}),
        "ethnicity": ("Quale origine etnica ti descrive meglio?",
                      {"araba, mediorientale o nordafricana": "arab", "asiatica": "asian", "nera o africana": "black",
                       "latina o ispanica": "latino", "del Sud-est asiatico": "southeast_asian",
                       "bianca o europea": "white", "due o più": "mixed", "non in elenco": "not_listed",
                       "preferisco non dirlo": "not_said"}),
        "hearing_impairments": ("Il tuo udito è compromesso?", {"sì": "yes", "no": "no"}),
        "taste_impairments": ("Il tuo gusto è compromesso?", {"sì": "yes", "no": "no"}),
        "device": ("Come stai ascoltando?",
                   {"cuffie": "headphones", "casse": "speakers", "impianto hi-fi": "hifi", "altro": "other"}),
    },
}  # fmt: skip
BUTTONS = {
    "en": {"agree": "I agree", "decline": "I do not agree", "yes": "Yes", "no": "No", "onward": "Continue",
           "play": "Play", "again": "Listen again", "stop": "Stop", "back": "Back"},
    "it": {"agree": "Acconsento", "decline": "Non acconsento", "yes": "Sì", "no": "No", "onward": "Continua",
           "play": "Ascolta", "again": "Riascolta", "stop": "Interrompi", "back": "Indietro"},
}  # fmt: skip
PAGES = {
    "en": {
        "consent": ("Welcome", "You will listen to short pieces of music and answer simple questions about them. It takes "
                    "about 5 minutes.\n\nYou may stop at any time without giving a reason. Your answers are stored "
                    "under a code, not under your name.\n\nYou may also withdraw later: tell us your code, and your answers are "
                    "deleted wherever we can reach them. We can't reach copies that were published or deposited by then, nor a "
                    "database server's own logs until they are overwritten."),
        "special": ("Optional questions", "Some questions concern your ethnicity and whether your hearing or taste is "
                    "impaired. They help to describe the group as a whole. May we ask them?"),
        "sound": ("Sound check", "Three short tones came: from the left, from the right, from both sides. Did you hear all three on these "
                  "sides, at a comfortable level?"),
        "practice": ("Practice", "First, one try. You will hear two short sounds and move a marker. This answer does not "
                     "count."),
        "preference": ("First part", "You will hear two pieces of music. Then say which of the two fits a taste better."),
        "pause": ("About half of the music is over", "Take a short break if you like. Go on when you are ready."),
        "ratings": ("Second part", "You will hear one piece of music at a time. Then say how much you recognise each word "
                    "in it."),
        "level": ("Level", "Set the noise to a level that you would listen to music at."),
        "huggins": ("Headphones", "Please wear headphones, in a quiet place. You will hear three noises at a time. In one "
                    "of them there is a faint tone."),
        "sides": ("Headphones", "Please wear headphones, the right way round. You will hear a noise from one side at a time."),
        "antiphase": ("Headphones", "Please wear headphones. You will hear three tones at a time."),
        "failed": ("This needs headphones", "It seems that the sound does not come through headphones, so this session "
                   "ends here. Please call the experimenter."),
        "too_young": ("Thank you for coming", "You are younger than the people whom this study is about, so the session ends here. "
                      "Nothing that you answered is kept."),
        "stop": ("Stop the session? Your answers so far are kept.", ""),
        "end": ("Thank you", "You have finished. Your code is {}."),
    },
    "it": {
        "consent": ("Ti diamo il benvenuto", "Ascolterai brevi brani musicali e risponderai a semplici domande. Ci vogliono circa 5 "
                    "minuti.\n\nPuoi smettere in qualsiasi momento senza dare spiegazioni. Le risposte sono conservate "
                    "con un codice, non con il tuo nome.\n\nPuoi ritirarti anche più tardi: dicci il tuo codice e le tue risposte "
                    "saranno cancellate ovunque possiamo arrivare. Non possiamo raggiungere le copie già pubblicate o depositate, "
                    "né i registri interni di un server di banche dati finché non vengono sovrascritti."),
        "special": ("Domande facoltative", "Alcune domande riguardano la tua etnia e se il tuo udito o il tuo gusto è "
                    "compromesso. Servono a descrivere il gruppo nel suo insieme. Possiamo fartele?"),
        "sound": ("Prova audio", "Ci sono stati tre brevi suoni: da sinistra, da destra, da entrambi i lati. Li hai sentiti tutti e tre da "
                  "questi lati, a un volume confortevole?"),
        "practice": ("Prova", "Prima una prova. Sentirai due brevi suoni e sposterai un cursore. Questa risposta non "
                     "conta."),
        "preference": ("Prima parte", "Ascolterai due brani. Poi indica quale dei due si adatta meglio a un gusto."),
        "pause": ("Circa metà della musica è passata", "Se vuoi, fai una breve pausa. Continua quando vuoi."),
        "ratings": ("Seconda parte", "Ascolterai un brano alla volta. Poi indica quanto riconosci ogni parola nella "
                    "musica."),
        "level": ("Volume", "Regola il rumore al volume a cui ascolteresti la musica."),
        "huggins": ("Cuffie", "Indossa le cuffie, in un luogo silenzioso. Sentirai tre rumori alla volta. In uno di essi "
                    "c'è un suono debole."),
        "sides": ("Cuffie", "Indossa le cuffie, nel verso giusto. Sentirai ogni volta un rumore da un lato."),
        "antiphase": ("Cuffie", "Indossa le cuffie. Sentirai tre suoni alla volta."),
        "failed": ("Servono le cuffie", "Sembra che il suono non arrivi dalle cuffie, quindi la sessione finisce qui. "
                   "Chiama chi conduce l'esperimento."),
        "too_young": ("Grazie di essere qui", "Hai meno anni delle persone di cui si occupa questo studio, quindi la sessione finisce qui. "
                      "Nessuna risposta viene conservata."),
        "stop": ("Interrompere la sessione? Le risposte date finora restano salvate.", ""),
        "end": ("Grazie", "Hai finito. Il tuo codice è {}."),
    },
}  # fmt: skip
HEADPHONES = {
    "en": {
        "huggins": "Which noise had the faint tone?",
        "antiphase": "Which tone was the quietest?",
        "sides": "From which side did the noise come?",
    },
    "it": {
        "huggins": "In quale rumore c'era il suono debole?",
        "antiphase": "Quale suono era il più debole?",
        "sides": "Da quale lato veniva il rumore?",
    },
}
LOUDNESS = {"en": ("softer", "louder"), "it": ("più piano", "più forte")}
PROGRESS = {"en": "{done} of {total}", "it": "{done} di {total}"}


def reader(language: str, one_page: bool = False) -> Phrases:
    """A person who reads this language and knows the default study; or its replication, with all adjectives on one page."""
    ends = FIRST_SECOND[language]
    asked = {frozenset([AGE[language]]): Asked("age", low=1, high=110)}
    for item, (question, options) in CHOICES[language].items():
        asked[frozenset([question])] = Asked(item, answers=dict(options))
    asked[frozenset([*PRACTICE[language], *ends])] = Asked("practice", ends=ends, low=0, high=10)
    for taste, word in TASTES[language].items():
        asked[frozenset([FITS[language].format(word), *ends])] = Asked("preference", taste, ends=ends, low=0, high=10)
    steps: dict[str, str | float] = {word: float(k) for k, word in enumerate(STEPS[language], 1)}
    for item, word in ADJECTIVES[language].items():
        asked[frozenset([(EACH if one_page else RECOGNISE)[language], word])] = Asked(item, answers=steps)
    for item, (question, low, high) in FELT[language].items():
        asked[frozenset([question, low, high])] = Asked(item, ends=(low, high), low=1, high=9)
    b = BUTTONS[language]
    return Phrases(b["agree"], b["yes"], b["onward"], b["play"], PROGRESS[language], asked)
