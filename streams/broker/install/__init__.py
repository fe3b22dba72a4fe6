"""Apache Kafka's jars, fetched once and verified, and a Java to run them."""
