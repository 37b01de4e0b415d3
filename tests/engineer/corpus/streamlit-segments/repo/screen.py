"""Which segment would this customer be in?"""

import joblib
import pandas as pd
import streamlit as st


@st.cache_resource
def segments():
    return joblib.load("segments.joblib")


orders = st.number_input("Orders in a year", 0, 500, 4)
basket = st.number_input("Value of a basket", 0.0, 10_000.0, 40.0)
days = st.number_input("Days since the last order", 0, 3650, 30)
row = pd.DataFrame([{"orders": orders, "basket": basket, "days_since_last": days}])
st.metric("Segment", int(segments().predict(row)[0]))
