"""The queue of renders in the window: its panel, its questions, and the threads behind them."""
