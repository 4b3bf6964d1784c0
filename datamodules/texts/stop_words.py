"""English words that carry grammar rather than meaning: they have no synonyms."""

_LIST = """
a an the this that these those
i me my mine myself we us our ours ourselves you your yours yourself yourselves
he him his himself she her hers herself it its itself
they them their theirs themselves one ones oneself
who whom whose which what whatever whichever whoever someone somebody something
anyone anybody anything everyone everybody everything noone nobody nothing none
am is are was were be been being have has had having do does did done doing
can could may might must shall should will would ought
not no nor never neither either
and or but so yet if then than because as while until unless though although whether
about above across after against along amid among around at before behind below beneath
beside besides between beyond by despite down during except for from in inside into like
near of off on onto out outside over past per since through throughout to toward towards
under up upon via with within without
again once here there when where why how
all any both each few more most much many other another others some such
only own same too very just even also else ever still
now however therefore thus hence
ain aren couldn didn doesn don hadn hasn haven isn ll mightn mustn needn re shan shouldn
ve wasn weren won wouldn
"""
STOP_WORDS = frozenset(_LIST.split())
