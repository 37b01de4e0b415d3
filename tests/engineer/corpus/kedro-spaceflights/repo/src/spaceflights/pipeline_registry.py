from spaceflights.data_science import create_pipeline


def register_pipelines():
    return {"__default__": create_pipeline(), "data_science": create_pipeline()}
