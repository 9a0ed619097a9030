"""All 27 modules, each trained several times: means, intervals, ranks."""
