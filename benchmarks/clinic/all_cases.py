"""Every case of the clinic, and the choice among them."""

import faulty.ablations
import faulty.acceptance
import faulty.adoption
import faulty.adoption_more
import faulty.archives
import faulty.assistants
import faulty.attention
import faulty.audit
import faulty.audit_more
import faulty.aviation
import faulty.bakeoff
import faulty.bakeoff_more
import faulty.bedside
import faulty.bench_side
import faulty.benches
import faulty.brewery
import faulty.bureau
import faulty.chemistry
import faulty.cinema
import faulty.consultant
import faulty.consultant_more
import faulty.contests
import faulty.convolutional
import faulty.course_projects
import faulty.course_projects_more
import faulty.courses
import faulty.coursework
import faulty.dense
import faulty.dentistry
import faulty.energy
import faulty.everyday
import faulty.examination
import faulty.examiner
import faulty.examiner_fourth
import faulty.examiner_fourth_more
import faulty.examiner_more
import faulty.examiner_rows
import faulty.examiner_third
import faulty.examiner_third_more
import faulty.excavation
import faulty.exchange
import faulty.factory
import faulty.farming
import faulty.farms
import faulty.forecasting
import faulty.forestry
import faulty.forum
import faulty.generalization
import faulty.generating
import faulty.geology
import faulty.glyphs
import faulty.greenhouse
import faulty.handmade
import faulty.harbour
import faulty.hearings
import faulty.helpdesk_images
import faulty.helpdesk_recordings
import faulty.helpdesk_words_and_rows
import faulty.herds
import faulty.hives
import faulty.hospitals
import faulty.housing
import faulty.hydrology
import faulty.infinite
import faulty.inputs
import faulty.institutes
import faulty.instruments
import faulty.insurance
import faulty.kitchen
import faulty.labelling
import faulty.laboratories
import faulty.layers
import faulty.lecture
import faulty.letterboxes
import faulty.loops
import faulty.manual
import faulty.master_theses
import faulty.methods
import faulty.microscopy
import faulty.model_zoo
import faulty.model_zoo_more
import faulty.model_zoo_rest
import faulty.museum
import faulty.music
import faulty.notebooks
import faulty.numerics
import faulty.observatories
import faulty.optimization
import faulty.papers
import faulty.pharmacy
import faulty.ported
import faulty.ports
import faulty.pottery
import faulty.preprints
import faulty.products
import faulty.puzzles
import faulty.quays
import faulty.questions
import faulty.railways
import faulty.rankings
import faulty.recurrent
import faulty.regression
import faulty.relations
import faulty.retail
import faulty.seismology
import faulty.sentences
import faulty.series
import faulty.signals
import faulty.sports
import faulty.starter
import faulty.starter_more
import faulty.steps
import faulty.structure
import faulty.studio
import faulty.surveyed
import faulty.tabular
import faulty.taxonomy
import faulty.theses
import faulty.threads
import faulty.tiles
import faulty.tokens
import faulty.trades
import faulty.transit
import faulty.trials
import faulty.tutor
import faulty.tutor_more
import faulty.umpire
import faulty.umpire_more
import faulty.units
import faulty.variety
import faulty.vineyard
import faulty.vision
import faulty.visitors
import faulty.warehouse
import faulty.weather
import faulty.workplace
import faulty.workplace_more
import faulty.workshops
import faulty.zoo
import healthy.ablations
import healthy.ablations_more
import healthy.acceptance
import healthy.adoption
import healthy.agents
import healthy.archives
import healthy.assistants
import healthy.audit
import healthy.audit_more
import healthy.aviation
import healthy.bakeoff
import healthy.bakeoff_more
import healthy.bedside
import healthy.bench_side
import healthy.bench_side_cells
import healthy.benches
import healthy.brewery
import healthy.bureau
import healthy.chances
import healthy.chemistry
import healthy.cinema
import healthy.cinema_more
import healthy.citations
import healthy.classics
import healthy.consultant
import healthy.consultant_more
import healthy.contests
import healthy.convolutional
import healthy.course_projects
import healthy.courses
import healthy.coursework
import healthy.dense
import healthy.densities
import healthy.dentistry
import healthy.devices
import healthy.energy
import healthy.everyday
import healthy.examination
import healthy.examiner
import healthy.examiner_fourth
import healthy.examiner_more
import healthy.examiner_third
import healthy.excavation
import healthy.exchange
import healthy.factory
import healthy.factory_floor
import healthy.farming
import healthy.farms
import healthy.fields
import healthy.forecasting
import healthy.forestry
import healthy.forgers
import healthy.forum
import healthy.games
import healthy.generative
import healthy.geology
import healthy.glyphs
import healthy.greenhouse
import healthy.handmade
import healthy.harbour
import healthy.hearings
import healthy.helpdesk_images
import healthy.helpdesk_recordings
import healthy.helpdesk_words_and_rows
import healthy.herds
import healthy.hives
import healthy.housing
import healthy.hydrology
import healthy.institutes
import healthy.instruments
import healthy.insurance
import healthy.kitchen
import healthy.laboratories
import healthy.laboratories_more
import healthy.language
import healthy.lecture
import healthy.mailroom
import healthy.master_theses
import healthy.methods
import healthy.microscopy
import healthy.model_zoo
import healthy.model_zoo_more
import healthy.museum
import healthy.music
import healthy.notebooks
import healthy.operations
import healthy.optimizers
import healthy.papers
import healthy.pastures
import healthy.pharmacy
import healthy.pharmacy_more
import healthy.physics
import healthy.pictures
import healthy.plain
import healthy.ported
import healthy.ports
import healthy.pottery
import healthy.preprints
import healthy.probabilistic
import healthy.production
import healthy.products
import healthy.puzzles
import healthy.quays
import healthy.questions
import healthy.railways
import healthy.rankings
import healthy.registers
import healthy.regression
import healthy.replies
import healthy.representations
import healthy.retail
import healthy.retrieval
import healthy.rewards
import healthy.scales
import healthy.screens
import healthy.seismology
import healthy.selfmade
import healthy.sentences
import healthy.sequences
import healthy.series
import healthy.signals
import healthy.sports
import healthy.starter
import healthy.structured
import healthy.studio
import healthy.tabular
import healthy.theses
import healthy.threads
import healthy.tokens
import healthy.trades
import healthy.transfer
import healthy.transit
import healthy.trials
import healthy.tutor
import healthy.tutor_more
import healthy.umpire
import healthy.umpire_more
import healthy.variety_control
import healthy.variety_generative
import healthy.variety_pictures
import healthy.variety_sciences
import healthy.variety_series
import healthy.variety_tables
import healthy.variety_words
import healthy.vineyard
import healthy.vision
import healthy.visitors
import healthy.wards
import healthy.warehouse
import healthy.waveforms
import healthy.weather
import healthy.workplace
import healthy.workshops
import healthy.zoo
import healthy.zoo_more
from case import Case

FAULTY: tuple[Case, ...] = (
    *faulty.ablations.CASES,
    *faulty.acceptance.CASES,
    *faulty.archives.CASES,
    *faulty.assistants.CASES,
    *faulty.attention.CASES,
    *faulty.aviation.CASES,
    *faulty.bakeoff.CASES,
    *faulty.bakeoff_more.CASES,
    *faulty.bedside.CASES,
    *faulty.bench_side.CASES,
    *faulty.benches.CASES,
    *faulty.brewery.CASES,
    *faulty.bureau.CASES,
    *faulty.chemistry.CASES,
    *faulty.cinema.CASES,
    *faulty.contests.CASES,
    *faulty.convolutional.CASES,
    *faulty.course_projects.CASES,
    *faulty.course_projects_more.CASES,
    *faulty.courses.CASES,
    *faulty.coursework.CASES,
    *faulty.dense.CASES,
    *faulty.dentistry.CASES,
    *faulty.energy.CASES,
    *faulty.exchange.CASES,
    *faulty.factory.CASES,
    *faulty.farming.CASES,
    *faulty.farms.CASES,
    *faulty.examination.CASES,
    *faulty.examiner.CASES,
    *faulty.examiner_more.CASES,
    *faulty.examiner_rows.CASES,
    *faulty.examiner_third.CASES,
    *faulty.examiner_third_more.CASES,
    *faulty.forecasting.CASES,
    *faulty.forestry.CASES,
    *faulty.forum.CASES,
    *faulty.generalization.CASES,
    *faulty.generating.CASES,
    *faulty.geology.CASES,
    *faulty.glyphs.CASES,
    *faulty.greenhouse.CASES,
    *faulty.handmade.CASES,
    *faulty.harbour.CASES,
    *faulty.hearings.CASES,
    *faulty.helpdesk_images.CASES,
    *faulty.helpdesk_recordings.CASES,
    *faulty.helpdesk_words_and_rows.CASES,
    *faulty.herds.CASES,
    *faulty.hospitals.CASES,
    *faulty.hives.CASES,
    *faulty.housing.CASES,
    *faulty.hydrology.CASES,
    *faulty.infinite.CASES,
    *faulty.inputs.CASES,
    *faulty.institutes.CASES,
    *faulty.instruments.CASES,
    *faulty.insurance.CASES,
    *faulty.kitchen.CASES,
    *faulty.labelling.CASES,
    *faulty.laboratories.CASES,
    *faulty.layers.CASES,
    *faulty.lecture.CASES,
    *faulty.letterboxes.CASES,
    *faulty.loops.CASES,
    *faulty.manual.CASES,
    *faulty.master_theses.CASES,
    *faulty.methods.CASES,
    *faulty.microscopy.CASES,
    *faulty.museum.CASES,
    *faulty.music.CASES,
    *faulty.notebooks.CASES,
    *faulty.numerics.CASES,
    *faulty.observatories.CASES,
    *faulty.optimization.CASES,
    *faulty.papers.CASES,
    *faulty.ported.CASES,
    *faulty.ports.CASES,
    *faulty.pharmacy.CASES,
    *faulty.pottery.CASES,
    *faulty.preprints.CASES,
    *faulty.products.CASES,
    *faulty.puzzles.CASES,
    *faulty.quays.CASES,
    *faulty.questions.CASES,
    *faulty.railways.CASES,
    *faulty.rankings.CASES,
    *faulty.recurrent.CASES,
    *faulty.regression.CASES,
    *faulty.relations.CASES,
    *faulty.retail.CASES,
    *faulty.excavation.CASES,
    *faulty.seismology.CASES,
    *faulty.sentences.CASES,
    *faulty.series.CASES,
    *faulty.signals.CASES,
    *faulty.sports.CASES,
    *faulty.steps.CASES,
    *faulty.structure.CASES,
    *faulty.studio.CASES,
    *faulty.surveyed.CASES,
    *faulty.tabular.CASES,
    *faulty.taxonomy.CASES,
    *faulty.theses.CASES,
    *faulty.everyday.CASES,
    *faulty.threads.CASES,
    *faulty.tiles.CASES,
    *faulty.tokens.CASES,
    *faulty.trades.CASES,
    *faulty.transit.CASES,
    *faulty.trials.CASES,
    *faulty.units.CASES,
    *faulty.variety.CASES,
    *faulty.vision.CASES,
    *faulty.visitors.CASES,
    *faulty.vineyard.CASES,
    *faulty.warehouse.CASES,
    *faulty.weather.CASES,
    *faulty.workplace.CASES,
    *faulty.workplace_more.CASES,
    *faulty.workshops.CASES,
    *faulty.audit.CASES,
    *faulty.audit_more.CASES,
    *faulty.consultant.CASES,
    *faulty.consultant_more.CASES,
    *faulty.tutor.CASES,
    *faulty.tutor_more.CASES,
    *faulty.umpire.CASES,
    *faulty.umpire_more.CASES,
    *faulty.zoo.CASES,
    *faulty.model_zoo.CASES,
    *faulty.model_zoo_more.CASES,
    *faulty.model_zoo_rest.CASES,
    *faulty.starter.CASES,
    *faulty.starter_more.CASES,
    *faulty.examiner_fourth.CASES,
    *faulty.examiner_fourth_more.CASES,
    *faulty.adoption.CASES,
    *faulty.adoption_more.CASES,
)
HEALTHY: tuple[Case, ...] = (
    *healthy.ablations.CASES,
    *healthy.ablations_more.CASES,
    *healthy.acceptance.CASES,
    *healthy.agents.CASES,
    *healthy.archives.CASES,
    *healthy.assistants.CASES,
    *healthy.aviation.CASES,
    *healthy.bakeoff.CASES,
    *healthy.bakeoff_more.CASES,
    *healthy.bedside.CASES,
    *healthy.bench_side.CASES,
    *healthy.bench_side_cells.CASES,
    *healthy.benches.CASES,
    *healthy.brewery.CASES,
    *healthy.bureau.CASES,
    *healthy.chances.CASES,
    *healthy.chemistry.CASES,
    *healthy.cinema.CASES,
    *healthy.cinema_more.CASES,
    *healthy.citations.CASES,
    *healthy.classics.CASES,
    *healthy.contests.CASES,
    *healthy.convolutional.CASES,
    *healthy.course_projects.CASES,
    *healthy.courses.CASES,
    *healthy.coursework.CASES,
    *healthy.dense.CASES,
    *healthy.dentistry.CASES,
    *healthy.densities.CASES,
    *healthy.devices.CASES,
    *healthy.energy.CASES,
    *healthy.exchange.CASES,
    *healthy.factory.CASES,
    *healthy.factory_floor.CASES,
    *healthy.farming.CASES,
    *healthy.farms.CASES,
    *healthy.fields.CASES,
    *healthy.examination.CASES,
    *healthy.examiner.CASES,
    *healthy.examiner_more.CASES,
    *healthy.examiner_third.CASES,
    *healthy.forecasting.CASES,
    *healthy.forestry.CASES,
    *healthy.forgers.CASES,
    *healthy.forum.CASES,
    *healthy.games.CASES,
    *healthy.generative.CASES,
    *healthy.geology.CASES,
    *healthy.glyphs.CASES,
    *healthy.greenhouse.CASES,
    *healthy.handmade.CASES,
    *healthy.harbour.CASES,
    *healthy.hearings.CASES,
    *healthy.helpdesk_images.CASES,
    *healthy.helpdesk_recordings.CASES,
    *healthy.helpdesk_words_and_rows.CASES,
    *healthy.herds.CASES,
    *healthy.hives.CASES,
    *healthy.housing.CASES,
    *healthy.hydrology.CASES,
    *healthy.institutes.CASES,
    *healthy.instruments.CASES,
    *healthy.insurance.CASES,
    *healthy.kitchen.CASES,
    *healthy.laboratories.CASES,
    *healthy.laboratories_more.CASES,
    *healthy.language.CASES,
    *healthy.lecture.CASES,
    *healthy.mailroom.CASES,
    *healthy.master_theses.CASES,
    *healthy.methods.CASES,
    *healthy.microscopy.CASES,
    *healthy.museum.CASES,
    *healthy.music.CASES,
    *healthy.notebooks.CASES,
    *healthy.operations.CASES,
    *healthy.optimizers.CASES,
    *healthy.papers.CASES,
    *healthy.pastures.CASES,
    *healthy.pharmacy.CASES,
    *healthy.pharmacy_more.CASES,
    *healthy.physics.CASES,
    *healthy.pictures.CASES,
    *healthy.plain.CASES,
    *healthy.ported.CASES,
    *healthy.ports.CASES,
    *healthy.pottery.CASES,
    *healthy.preprints.CASES,
    *healthy.probabilistic.CASES,
    *healthy.production.CASES,
    *healthy.products.CASES,
    *healthy.puzzles.CASES,
    *healthy.quays.CASES,
    *healthy.questions.CASES,
    *healthy.railways.CASES,
    *healthy.rankings.CASES,
    *healthy.registers.CASES,
    *healthy.regression.CASES,
    *healthy.replies.CASES,
    *healthy.representations.CASES,
    *healthy.retail.CASES,
    *healthy.retrieval.CASES,
    *healthy.rewards.CASES,
    *healthy.scales.CASES,
    *healthy.screens.CASES,
    *healthy.excavation.CASES,
    *healthy.seismology.CASES,
    *healthy.selfmade.CASES,
    *healthy.sentences.CASES,
    *healthy.sequences.CASES,
    *healthy.series.CASES,
    *healthy.signals.CASES,
    *healthy.sports.CASES,
    *healthy.structured.CASES,
    *healthy.studio.CASES,
    *healthy.tabular.CASES,
    *healthy.theses.CASES,
    *healthy.everyday.CASES,
    *healthy.threads.CASES,
    *healthy.tokens.CASES,
    *healthy.trades.CASES,
    *healthy.transfer.CASES,
    *healthy.transit.CASES,
    *healthy.trials.CASES,
    *healthy.variety_generative.CASES,
    *healthy.variety_pictures.CASES,
    *healthy.variety_sciences.CASES,
    *healthy.variety_series.CASES,
    *healthy.variety_tables.CASES,
    *healthy.variety_words.CASES,
    *healthy.variety_control.CASES,
    *healthy.vision.CASES,
    *healthy.visitors.CASES,
    *healthy.wards.CASES,
    *healthy.warehouse.CASES,
    *healthy.waveforms.CASES,
    *healthy.vineyard.CASES,
    *healthy.weather.CASES,
    *healthy.workplace.CASES,
    *healthy.workshops.CASES,
    *healthy.audit.CASES,
    *healthy.audit_more.CASES,
    *healthy.consultant.CASES,
    *healthy.consultant_more.CASES,
    *healthy.tutor.CASES,
    *healthy.tutor_more.CASES,
    *healthy.umpire.CASES,
    *healthy.umpire_more.CASES,
    *healthy.zoo.CASES,
    *healthy.zoo_more.CASES,
    *healthy.model_zoo.CASES,
    *healthy.model_zoo_more.CASES,
    *healthy.starter.CASES,
    *healthy.examiner_fourth.CASES,
    *healthy.adoption.CASES,
)
CASES = FAULTY + HEALTHY


def named(names: list[str]) -> list[Case]:
    """The cases of these names, or all for no name.

    Raises:
        ValueError: If there is no case of a name.
    """
    known = {case.name: case for case in CASES}
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ValueError(f"Expected names of cases, but got {unknown}; there are {sorted(known)}.")
    return [known[name] for name in names] or list(CASES)
