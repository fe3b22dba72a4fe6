"""Windows of samples: what an update trains, decided alike by the trainer and by whoever previews it."""
