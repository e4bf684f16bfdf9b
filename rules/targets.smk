##### One target per stage and per study: `snakemake judges`, `snakemake reward_by_entropy`. #####
TARGETS = {name: manifests_of(stage) for name, stage in STAGE_TARGETS.items()}
TARGETS["downloads"] = manifests_of("fetch_model") + manifests_of("fetch_dataset")
TARGETS |= {study: manifests_of_study(study) for study in graph.config.studies}

for target, manifests in TARGETS.items():

    rule:
        name:
            target
        input:
            manifests,
        localrule: True
