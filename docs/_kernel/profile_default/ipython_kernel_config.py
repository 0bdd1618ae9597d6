"""Settings of the kernels that execute the chapters: plots in vectors, nothing remembered between builds."""

c = get_config()  # noqa: F821
c.IPKernelApp.log_level = "ERROR"
c.HistoryManager.enabled = False
c.InlineBackend.figure_formats = {"svg"}
