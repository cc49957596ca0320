"""Models written as documents: XGBoost, LightGBM, CatBoost, skops, Keras, and folders. Pure."""
