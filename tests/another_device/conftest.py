def pytest_configure(config):
    for warning in (
        "ignore:.*No CUDA runtime is found",
        # The device computes on the host, and resizes what it gets back.
        "ignore:An output with one or more elements was resized:UserWarning",
    ):
        config.addinivalue_line("filterwarnings", warning)
