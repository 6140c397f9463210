"""The command line: `xinqiao`, for administrators, operators and testers."""
